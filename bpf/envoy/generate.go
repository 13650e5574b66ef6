package envoy

// Regenerating needs clang, llvm-strip and libbpf's headers; building and running
// need none of them.
//go:generate -command bpf2go go tool bpf2go -target amd64 -cflags "-O2 -g -Wall -Werror -I../include"
//go:generate bpf2go -type recipe -type way envoy envoy.bpf.c -- -Wno-missing-declarations -Wno-parentheses
