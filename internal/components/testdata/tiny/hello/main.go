// Command hello is the smallest component that can be built.
package main

var version = "unset"

func main() { print(version) }
