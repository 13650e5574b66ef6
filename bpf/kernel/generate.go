package kernel

// Regenerating needs clang, llvm-strip and libbpf's headers; building and running
// need none of them.
//go:generate go tool bpf2go -target amd64 kernel kernel.bpf.c -- -O2 -g -Wall -Werror -Wno-missing-declarations -Wno-parentheses -I../include
