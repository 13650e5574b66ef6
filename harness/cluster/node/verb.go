package node

// Verb is the word behind a program's name that makes it one of a node's processes: Main is called
// with what follows. A program that brings labs up has to do so.
const Verb = "__node"
