package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/seatrial/seatrial/builder/inputs"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/steps"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Report is how the image of a release was built, or why it was not.
type Report struct {
	Build     string     // the id of the build that ran the steps
	RanFor    release.ID // whose log tells of them
	Why       string     // it was built, or not
	Unchanged bool       // an earlier image was proved to be the same, no step ran
	Changed   []inputs.Change
	Inputs    inputs.Set
	Failed    string // why there is no image; empty: there is one
	Image     string // repository@digest
	Tag       string
	Platforms []release.Platform
	Bases     []Base
	Committed time.Time
	Started   time.Time
	Finished  time.Time
	BuildKit  string          // its version
	Plan      json.RawMessage // as the provenance states it
	Steps     []Step
	LeftOut   int // steps beyond those kept
}

// Base is an image that a build started from.
type Base struct {
	Name   string
	Digest release.Digest
}

// Report tells from our own record how the artifact of a release was built, or, while it
// has none, how its last build failed; fs.ErrNotExist when nothing is known.
func (b *Builder) Report(_ context.Context, r release.Release) (Report, error) {
	file := b.failedFile(r.ID)
	if r.Artifact != nil {
		_, build, _ := strings.Cut(r.Artifact.Tag, "-")
		file = b.recordFile(r.ID, build)
	}
	rec, err := b.read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Report{}, hint.Add(fmt.Errorf("report of the build of %s: %w", r.ID, err), "it is written when a build ends; until then follow the log")
	}
	if err != nil {
		return Report{}, err
	}
	return rec.report(logs.NewMasker(b.p.Secrets()...))
}

// report masks once more what a build depended on: an argument may be a secret by now.
func (r record) report(mask *logs.Masker) (Report, error) {
	plan, err := json.Marshal(r.Plan)
	if plan = []byte(mask.Mask(string(plan))); err == nil && !json.Valid(plan) {
		err = errors.New("it is not readable without the value of a secret")
	}
	if err != nil {
		return Report{}, fmt.Errorf("encode the plan of %s: %w", r.Release, err)
	}
	out := Report{
		Build: buildID(r.made()), RanFor: r.Release, Why: mask.Mask(r.Why), Unchanged: r.Made != "", Failed: r.Failed,
		Tag: r.Tag, Platforms: r.Platforms, Committed: r.Committed, Started: r.Started,
		Finished: r.Finished, BuildKit: r.BuildKit, Plan: plan, Steps: r.Steps, LeftOut: r.LeftOut,
	}
	for _, i := range r.Inputs {
		out.Inputs = append(out.Inputs, inputs.Part{Name: i.Name, Value: mask.Mask(i.Value)})
	}
	if out.Unchanged {
		id, _, _ := strings.Cut(r.Made, "/") // a key begins with its release
		out.RanFor = release.ID(id)
	} else {
		for _, c := range r.Changed {
			out.Changed = append(out.Changed, inputs.Change{Name: c.Name, Before: mask.Mask(c.Before), After: mask.Mask(c.After)})
		}
	}
	if r.Failed == "" && r.Digest != "" {
		out.Image = r.artifact().Reference()
	}
	for _, x := range r.Bases {
		out.Bases = append(out.Bases, Base{x.Name, x.Digest})
	}
	return out, nil
}

// since is what changed after the last build of the same service, as far as that is known.
func (b *Builder) since(s release.Service, now inputs.Set) []inputs.Change {
	last, err := b.pointed(b.lastFile(s))
	if err != nil || len(last.Inputs) == 0 {
		return nil
	}
	return inputs.Compare(last.Inputs, now)
}

// noteFailure keeps what a build did that gave no image. It is for people only: losing it
// costs nothing.
func (b *Builder) noteFailure(rec record, err error, mask *logs.Masker) {
	if err == nil {
		return
	}
	rec.Failed, rec.Finished = steps.Cut(mask.Mask(err.Error()), maxError), time.Now().UTC()
	raw, err := json.Marshal(rec)
	if err == nil {
		err = os.WriteFile(b.failedFile(rec.Release), raw, 0o600)
	}
	if err != nil {
		b.p.Log.Warn("build report", "release", rec.Release, "error", err)
	}
}

// failedFile is the report of a release's last build without an image that is kept.
func (b *Builder) failedFile(id release.ID) string { return b.recordFile(id, "failed") }
