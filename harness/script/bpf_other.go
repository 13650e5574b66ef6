//go:build !linux

package script

func bpfWorks() bool { return false }
