package rego

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/policies/library"
)

// maxRego is the most rego source that one policy may have, helpers included.
const maxRego = 1 << 20

// Source is one rego policy with the files that it may use.
type Source struct {
	Name    string
	File    string
	Text    string
	Helpers map[string]string // file name to source
}

// refuses finds the rules that make a file a policy rather than a helper of policies.
var refuses = regexp.MustCompile(`(?m)^\s*(deny|violation|warn)(_\w+)?\b`)

// Find looks a policy up by its name: in the platform repo's files, then in the library.
func Find(name string, files map[string]string) (Source, error) {
	var mine []string
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if path.Base(file) == name+".rego" {
			mine = append(mine, file)
		}
	}
	shipped, inLibrary := library.Policies()[name]
	switch {
	case len(mine) > 1:
		return Source{}, fmt.Errorf("%s and %s have the same name", mine[0], mine[1])
	case len(mine) == 1 && inLibrary:
		return Source{}, fmt.Errorf("%s has the name of a policy of the library", mine[0])
	case inLibrary:
		return Source{Name: name, File: "library/" + name + ".rego", Text: shipped, Helpers: library.Helpers()}, nil
	case len(mine) == 0:
		return Source{}, errors.New("there is no policy of that name")
	}
	s := Source{Name: name, File: mine[0], Text: files[mine[0]], Helpers: library.Helpers()}
	size := len(s.Text)
	for file, text := range files {
		if file == s.File || !strings.HasSuffix(file, ".rego") || strings.HasSuffix(file, "_test.rego") || refuses.MatchString(text) {
			continue
		}
		s.Helpers[file] = text
		size += len(text)
	}
	if size > maxRego {
		return Source{}, fmt.Errorf("it and its helpers have %d bytes, at most %d are read", size, maxRego)
	}
	return s, nil
}
