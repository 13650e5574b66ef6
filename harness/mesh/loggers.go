package mesh

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
)

// Levels are the levels of Envoy's loggers by logger name.
type Levels map[string]string

// Envoy's log levels, most verbose first.
var logLevels = []string{"trace", "debug", "info", "warning", "error", "critical", "off"}

// Loggers returns the level of each logger (POST /logging without a parameter changes nothing).
func (s *Sidecar) Loggers(ctx context.Context) (Levels, error) {
	answer, err := s.call(ctx, http.MethodPost, "/logging")
	if err != nil {
		return nil, err
	}
	levels, err := parseLoggers(string(answer))
	if err != nil {
		return nil, fault.Environmentf("read log levels of %s: %w", s.pod.Ref(), err)
	}
	return levels, nil
}

// SetLevel sets every logger to one level and proves it by reading them back.
func (s *Sidecar) SetLevel(ctx context.Context, level string) error {
	if !slices.Contains(logLevels, level) {
		return fault.Usagef("set log level of %s: unknown level %q (there are: %s)", s.pod.Ref(), level,
			strings.Join(logLevels, ", "))
	}
	if _, err := s.call(ctx, http.MethodPost, "/logging?level="+level); err != nil {
		return err
	}
	now, err := s.Loggers(ctx)
	if err != nil {
		return err
	}
	want := Levels{}
	for logger := range now {
		want[logger] = level
	}
	return s.compare(now, want)
}

// Restore sets each logger to its own level of before and proves it by reading them back. Envoy
// takes several loggers at a time as /logging?paths=name:level,…; one that is too old for it
// gets them one by one.
func (s *Sidecar) Restore(ctx context.Context, levels Levels) error {
	now, err := s.Loggers(ctx)
	if err != nil {
		return err
	}
	if maps.Equal(now, levels) {
		return nil
	}
	if _, err := s.call(ctx, http.MethodPost, "/logging?paths="+url.QueryEscape(levels.String())); err != nil {
		if err := s.restoreOneByOne(ctx, levels); err != nil {
			return err
		}
	}
	if now, err = s.Loggers(ctx); err != nil {
		return err
	}
	return s.compare(now, levels)
}

func (s *Sidecar) restoreOneByOne(ctx context.Context, levels Levels) error {
	for _, logger := range slices.Sorted(maps.Keys(levels)) {
		path := fmt.Sprintf("/logging?%s=%s", url.QueryEscape(logger), levels[logger])
		if _, err := s.call(ctx, http.MethodPost, path); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sidecar) compare(now, want Levels) error {
	for _, logger := range slices.Sorted(maps.Keys(want)) {
		if now[logger] != want[logger] {
			return fault.Environmentf("set log level of %s: logger %s is at %s and should be at %s", s.pod.Ref(),
				logger, now[logger], want[logger])
		}
	}
	return nil
}

// raisedFrom reports whether all loggers are at one level, as SetLevel leaves them, and that is
// more verbose than any was before.
func (l Levels) raisedFrom(before Levels) bool {
	one := -1
	for _, level := range l {
		at := slices.Index(logLevels, level)
		if one >= 0 && at != one {
			return false
		}
		one = at
	}
	for _, level := range before {
		if slices.Index(logLevels, level) <= one {
			return false
		}
	}
	return one >= 0
}

// String is the form of /logging's paths parameter: name:level,…, sorted by name.
func (l Levels) String() string {
	parts := make([]string, 0, len(l))
	for _, logger := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, logger+":"+l[logger])
	}
	return strings.Join(parts, ",")
}

// Summary says the common level and the exceptions: "warning; misc at error".
func (l Levels) Summary() string {
	count := map[string]int{}
	for _, level := range l {
		count[level]++
	}
	common := ""
	for _, level := range logLevels {
		if count[level] > count[common] {
			common = level
		}
	}
	var others []string
	for _, logger := range slices.Sorted(maps.Keys(l)) {
		if l[logger] != common {
			others = append(others, logger+" at "+l[logger])
		}
	}
	if len(others) == 0 {
		return common
	}
	return common + "; " + strings.Join(others, ", ")
}

// parseLoggers reads the answer of /logging: "active loggers:" and lines of "  name: level".
func parseLoggers(answer string) (Levels, error) {
	levels := Levels{}
	for _, line := range strings.Split(answer, "\n") {
		logger, level, ok := strings.Cut(strings.TrimSpace(line), ":")
		level = strings.TrimSpace(level)
		if !ok || level == "" {
			continue
		}
		if !slices.Contains(logLevels, level) {
			return nil, fmt.Errorf("logger %q is at the unknown level %q", logger, level)
		}
		levels[logger] = level
	}
	if len(levels) == 0 {
		return nil, fmt.Errorf("no logger in an answer of %d bytes", len(answer))
	}
	return levels, nil
}
