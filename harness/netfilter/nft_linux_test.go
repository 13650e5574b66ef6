package netfilter

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// listedByNFT loads a ruleset into a network namespace of its own and returns nft's listing of it.
func listedByNFT(ruleset string) (string, error) {
	cmd := exec.Command("sh", "-c", "nft -f - && nft -j list ruleset")
	cmd.Stdin = strings.NewReader(ruleset)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("nft: %w: %s", err, out)
	}
	return string(out), nil
}
