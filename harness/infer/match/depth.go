package match

// MaxDepth bounds how deep matchers may nest.
const MaxDepth = 64
