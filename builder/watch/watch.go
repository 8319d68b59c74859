// Package watch follows what BuildKit tells of a solve: it writes the log and remembers
// what a record of the build and an explanation of its failure need.
//
// Start at Watch. It never asks BuildKit anything, and never gives away a text that
// is not masked.
package watch

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/steps"
	"github.com/seatrial/seatrial/release"
)

const (
	tailLines = 12       // of a failing step, for the commit status
	tailBytes = 16 << 10 // kept of a running step
	maxName   = 200      // bytes of a step's name
	maxError  = 2000     // bytes of its error
)

// A step "[build 1/4] FROM docker.io/library/golang:1.26@sha256:…" names a base image.
var fromStep = regexp.MustCompile(`\] FROM (\S+?)@(sha256:[0-9a-f]{64})`)

// A step "[stage-0 2/3] ADD https://example.org/tool /bin/" reads what may be another
// thing tomorrow.
var (
	remoteAdd = regexp.MustCompile(`(?s)\] ADD .*(://|git@)`)
	pinnedAdd = regexp.MustCompile(`\] ADD (--\S+\s+)*--checksum=`)
)

// Watch follows one solve.
type Watch struct {
	Bases map[string]release.Digest // the images that it started from

	log    *logs.Log
	steps  map[digest.Digest]*step
	loose  map[string]bool // names of steps
	failed *step
}

type step struct {
	name     string
	order    int // of being heard of
	begun    bool
	ended    bool
	started  time.Time
	finished time.Time
	cached   bool
	bytes    int64 // that it printed
	tail     []byte
	err      string
}

// New begins to follow a solve.
func New(log *logs.Log) *Watch {
	return &Watch{log: log, steps: map[digest.Digest]*step{}, Bases: map[string]release.Digest{}, loose: map[string]bool{}}
}

// See takes in what BuildKit tells.
func (w *Watch) See(s *client.SolveStatus) {
	for _, v := range s.Vertexes {
		w.vertex(v)
	}
	for _, l := range s.Logs {
		st := w.step(l.Vertex)
		stream := "stdout"
		if l.Stream == 2 {
			stream = "stderr"
		}
		w.log.Write(st.name, stream, l.Data)
		st.bytes += int64(len(l.Data))
		st.tail = append(st.tail, l.Data...)
		if over := len(st.tail) - tailBytes; over > 0 {
			st.tail = append(st.tail[:0], st.tail[over:]...)
		}
	}
	for _, x := range s.Warnings {
		w.log.Note("", "note", "warning: "+string(x.Short))
	}
}

// step is what is known of a step; before it is named it is just the build.
func (w *Watch) step(d digest.Digest) *step {
	st := w.steps[d]
	if st == nil {
		st = &step{name: "build", order: len(w.steps)}
		w.steps[d] = st
	}
	return st
}

func (w *Watch) vertex(v *client.Vertex) {
	st := w.step(v.Digest)
	st.name = w.named(v.Name)
	if m := fromStep.FindStringSubmatch(v.Name); m != nil {
		w.Bases[m[1]] = release.Digest(m[2])
	}
	if remoteAdd.MatchString(v.Name) && !pinnedAdd.MatchString(v.Name) {
		w.loose[w.log.Mask(v.Name)] = true
	}
	if v.Started != nil && !st.begun {
		st.begun, st.started = true, *v.Started
		w.log.Note(st.name, "step", "started")
	}
	st.seen(v)
	if v.Completed == nil || st.ended {
		return
	}
	st.ended = true
	switch {
	case v.Error != "":
		st.err = v.Error
		if w.failed == nil && !strings.Contains(v.Error, "context canceled") {
			w.failed = st // the others were cancelled because of it
		}
		w.log.Note(st.name, "step", "failed: "+v.Error)
	case v.Cached:
		w.log.Note(st.name, "step", "cached")
	default:
		w.log.Note(st.name, "step", fmt.Sprintf("done in %s", v.Completed.Sub(st.started).Round(time.Millisecond)))
	}
	if st.err == "" {
		st.tail = nil
	}
}

// Loose are the names of the steps that read from the network what nothing pins.
func (w *Watch) Loose() []string { return slices.Sorted(maps.Keys(w.loose)) }

// Failed is the step because of which the solve failed, and the last lines it printed.
func (w *Watch) Failed() (name, tail string, ok bool) {
	if w.failed == nil {
		return "", "", false
	}
	return w.failed.name, w.log.Mask(w.failed.lastLines()), true
}

// lastLines are the last lines a step printed.
func (s *step) lastLines() string {
	lines := strings.Split(strings.TrimRight(string(s.tail), "\n"), "\n")
	return strings.TrimSpace(strings.Join(lines[max(0, len(lines)-tailLines):], "\n"))
}

// named is the name of a step. It is masked before it is cut: half a secret is not found
// any more.
func (w *Watch) named(name string) string {
	return steps.Cut(w.log.Mask(steps.OneLine(name)), maxName)
}

// seen notes what a report about a step says. BuildKit may take a step up more than
// once: it lasts until the last end.
func (s *step) seen(v *client.Vertex) {
	if v.Completed != nil {
		s.finished, s.cached = *v.Completed, v.Cached
	}
}

// Report is every step that was begun, in the order in which they were.
func (w *Watch) Report() []steps.Step {
	var out []steps.Step
	byStart := func(a, b *step) int { return cmp.Or(a.started.Compare(b.started), a.order-b.order) }
	for _, s := range slices.SortedFunc(maps.Values(w.steps), byStart) {
		if s.begun {
			out = append(out, steps.Step{
				Name: s.name, Platform: steps.Platform(s.name), Started: s.started, Finished: s.finished, Cached: s.cached,
				Error: steps.Cut(w.log.Mask(s.err), maxError), LogBytes: s.bytes,
			})
		}
	}
	return out
}
