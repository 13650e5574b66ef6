//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/internal/sometimes"
)

// missing are the kills of the catalogue, as PHASE:VICTIM, that no run has come to, by what make
// nightly keeps in a file.
func missing(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	var kept struct {
		Reached map[string]int `json:"reached"`
	}
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the first night has reached nothing
		err = nil
	case err == nil:
		err = json.Unmarshal(data, &kept)
	}
	if err != nil {
		return nil, fmt.Errorf("read what was reached: %w", err)
	}
	var all []string
	for _, phase := range sometimes.Phases {
		for _, victim := range sometimes.Victims {
			if sometimes.Possible(phase, victim) && kept.Reached[sometimes.Kill(phase, victim)] == 0 {
				all = append(all, phase+":"+victim)
			}
		}
	}
	return all, nil
}

// next is the kill that round n aims at: one after the other of those that this run has not come to
// either. Every third round aims at nothing, so that one that cannot be reached does not take all.
func (k *killer) next(aims []string, n int) string {
	left := slices.DeleteFunc(slices.Clone(aims), func(aim string) bool {
		phase, victim, _ := strings.Cut(aim, ":")
		return k.done[sometimes.Kill(phase, victim)]
	})
	if len(left) == 0 || n%3 == 0 {
		return ""
	}
	return left[n%len(left)]
}

// aim gives a round another phase and other victims. Its moment stays as far into
// the phase as it was.
func (r *round) aim(at string) {
	part := float64(r.after) / float64((&killer{}).phase(r.phase).takes)
	phase, victims, _ := strings.Cut(at, ":")
	r.phase, r.victims = phase, strings.Split(victims, ",")
	r.after = time.Duration(part * float64((&killer{}).phase(phase).takes))
}

// reached notes a round's kills.
func (k *killer) reached(r round, hit []string) {
	for _, class := range hit {
		name := sometimes.Kill(r.phase, class)
		k.done[name] = true
		sometimes.Reached(name)
	}
}
