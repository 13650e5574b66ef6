//go:build !linux

package netfilter

import "errors"

func listedByNFT(string) (string, error) { return "", errors.New("nft runs on Linux only") }
