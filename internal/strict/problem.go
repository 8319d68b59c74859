package strict

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxProblems is how many problems one error lists: more than that is one mistake that
// was repeated, not a list to work through.
const maxProblems = 20

// Problem is one mistake and where it stands.
type Problem struct {
	File    string
	Line    int // from 1; 0: the whole file
	Column  int // from 1, in characters; 0: the whole line
	Message string
}

// String is "file:line:column: message", what editors and people can follow.
func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at += fmt.Sprintf(":%d", p.Line)
		if p.Column > 0 {
			at += fmt.Sprintf(":%d", p.Column)
		}
	}
	return at + ": " + p.Message
}

// Error is everything wrong with what was read, in the order of the files.
type Error struct {
	Problems []Problem // at most 20
	More     int       // how many were left out
}

// Error lists one problem per line.
func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// Hint is the next step.
func (e *Error) Hint() string {
	return "correct the lines named; seatrial config validate checks a tree offline"
}

// Join makes one error of problems: sorted, without repetitions, at most 20. No
// problems are no error.
func Join(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	all := slices.Clone(problems)
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	all = slices.Compact(all)
	e := &Error{Problems: all}
	if len(all) > maxProblems {
		e.Problems, e.More = all[:maxProblems], len(all)-maxProblems
	}
	return e
}

// ProblemsOf are the problems of an error of this package; another error becomes a
// problem of the whole file.
func ProblemsOf(file string, err error) []Problem {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return []Problem{{File: file, Message: err.Error()}}
	}
	if e.More == 0 {
		return e.Problems
	}
	return append(slices.Clone(e.Problems), Problem{File: file, Message: fmt.Sprintf("%d more problems", e.More)})
}

// Issue is a mistake known by the path of its value.
type Issue struct {
	Path    []any // keys (string) and indices (int) from the document's root
	Message string
	Key     bool // the key at the end of Path is wrong, not its value

	inside int // of the text at Path, in bytes from 1; 0: the whole of it
}

// At makes an Issue: At("want at least 1", "spec", "waves", 0, "name").
func At(message string, path ...any) Issue { return Issue{Path: path, Message: message} }

// Problems gives issues their lines and columns. A path that is not in the document
// points at the nearest thing above it that is.
func (d Document) Problems(issues ...Issue) []Problem {
	problems := make([]Problem, 0, len(issues))
	for _, is := range issues {
		at := d.find(is)
		line, column := at.Line, at.Column
		if is.inside > 0 {
			line, column = d.within(at, is.inside-1)
		}
		problems = append(problems, Problem{File: d.File, Line: line, Column: column, Message: withPath(is)})
	}
	return problems
}

func (d Document) find(is Issue) *yaml.Node {
	at, node := d.root, resolve(d.root)
	for i, step := range is.Path {
		key, value := child(node, step)
		if value == nil {
			return at
		}
		node = resolve(value)
		at = value
		if key != nil && (node.Kind != yaml.ScalarNode || is.Key && i == len(is.Path)-1) {
			at = key // of a list or a map, its name is easier to find than its first entry
		}
	}
	return at
}

func withPath(is Issue) string {
	path := PathString(is.Path...)
	if path == "" {
		return is.Message
	}
	return path + ": " + is.Message
}

// PathString writes a path as people do: spec.waves[0].name.
func PathString(path ...any) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, s)
		}
	}
	return b.String()
}

// Suggest is ` (did you mean "replicas"?)` when one of known is close to got or begins
// like it, else the short list of what there is, else nothing.
func Suggest(got string, known []string) string {
	best, bestDistance := "", len(got)/3+2
	for _, k := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(k), bestDistance); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if start := got[:min(4, len(got))]; best == "" && len(start) >= 3 {
		if i := slices.IndexFunc(known, func(k string) bool { return strings.HasPrefix(k, start) }); i >= 0 {
			best = known[i]
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf(" (did you mean %q?)", best)
	case len(known) > 0 && len(known) <= 8:
		return fmt.Sprintf(" (there is: %s)", strings.Join(known, ", "))
	}
	return ""
}

// distance is the number of edits between a and b, or limit when it is at least that.
func distance(a, b string, limit int) int {
	if abs(len(a)-len(b)) >= limit || len(a) > 100 {
		return limit
	}
	var before []int // the row before previous: a swap of neighbours is one edit
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			edit := previous[j-1]
			if a[i-1] != b[j-1] {
				edit++
			}
			row[j] = min(edit, previous[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous = previous, row
	}
	return min(previous[len(b)], limit)
}

func abs(n int) int { return max(n, -n) }
