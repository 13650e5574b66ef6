// Command lab infers the way that a request takes through an Istio mesh, sends it, watches it, and says hop by hop
// whether what was seen is what was inferred. See `lab --help`.
package main

import "os"

func main() { os.Exit(Main(os.Args[1:])) }
