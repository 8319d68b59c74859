// Package dockerfile reads what a Dockerfile says about how it wants to be built.
//
// Start at Syntax. It never judges what the steps do; that is BuildKit's.
package dockerfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/seatrial/seatrial/internal/hint"
)

const official = "docker/dockerfile:1" // what buildkitd has built in

// Syntax decides about "# syntax=": the official one is what buildkitd has built in, and
// that is used; another program would run unseen with the build's files, so it has to be
// allowed.
func Syntax(text []byte, name string, allowed []string) (builtIn string, err error) {
	ref, cmdline, where, ok := parser.DetectSyntax(text)
	if !ok {
		return "", nil
	}
	short := strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "index.docker.io/")
	if tag, ok := strings.CutPrefix(short, official); ok && !strings.Contains(tag, "labs") && (tag == "" || tag[0] == '.') {
		return cmdline, nil
	}
	if slices.Contains(allowed, ref) {
		return "", nil
	}
	line := 1
	if len(where) > 0 {
		line = where[0].Start.Line
	}
	return "", hint.Add(fmt.Errorf("%s:%d: # syntax=%s is not allowed", name, line, ref), "remove the line, or ask an operator to allow this frontend in the server's settings")
}

var (
	declaresEpoch = regexp.MustCompile(`(?im)^[ \t]*ARG[ \t].*\bSOURCE_DATE_EPOCH\b`)
	keeps         = regexp.MustCompile(`(?i)--mount=\S*(type=["']?cache|\$)`)
)

// WantsEpoch reports whether the steps ask for the commit's time. Others are not told:
// BuildKit makes it a part of every WORKDIR, and nothing behind one would come from the
// cache for the next commit. The image's own times are set when it is exported.
func WantsEpoch(text []byte) bool { return declaresEpoch.Match(text) }

// Keeps reports whether a step may find what it has left behind in an earlier build. Such a
// step may tell by the time of a file that it has changed since, as make and cargo do.
func Keeps(text []byte) bool { return keeps.Match(text) }
