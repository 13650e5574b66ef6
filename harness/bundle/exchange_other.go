//go:build !linux

package bundle

func exchange(temporary, dir string) error { return exchangeByTwo(temporary, dir) }
