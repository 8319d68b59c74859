package strict

import (
	"fmt"
	"slices"
)

// Issues collects what a package finds wrong with a value it validates.
type Issues []Issue

// Add notes a mistake at a path.
func (is *Issues) Add(message string, path ...any) { *is = append(*is, At(message, path...)) }

// AddKey notes a mistake in the key at the end of a path.
func (is *Issues) AddKey(message string, path ...any) {
	*is = append(*is, Issue{Path: path, Message: message, Key: true})
}

// OneOf notes a word that is none of the known ones; what says what it should be.
func (is *Issues) OneOf(what, got string, known []string, path ...any) {
	if !slices.Contains(known, got) {
		is.Add(fmt.Sprintf("unknown %s %q%s", what, got, Suggest(got, known)), path...)
	}
}

// Once notes the entries of the list at path that were there before.
func (is *Issues) Once(list []string, path ...any) {
	for i, s := range list {
		if slices.Contains(list[:i], s) {
			is.Add(fmt.Sprintf("%q is listed twice", s), with(path, i)...)
		}
	}
}

// AtMost notes a list or map at path with more entries than are allowed.
func (is *Issues) AtMost(limit, n int, path ...any) {
	if n > limit {
		is.Add(fmt.Sprintf("has %d entries: at most %d", n, limit), path...)
	}
}
