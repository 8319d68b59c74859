//go:build race

package sandbox

// overhead of the race detector: its shadow of each byte is private memory, too.
const overhead = 6
