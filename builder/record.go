package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/builder/inputs"
	"github.com/seatrial/seatrial/builder/steps"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

// The folders, below that of the records, of files that lead to one.
const (
	sameInputs = "same"
	lastBuilds = "last"
)

const (
	maxSteps = 300  // kept of one build
	maxError = 2000 // bytes of why there is no image
)

// Step is one step of a build as BuildKit told of it.
type Step = steps.Step

// record is what is known about a finished build. It lies on the server's disk, not in
// the registry: the provenance is made from it, and whoever may push must not be able to
// change that.
type record struct {
	Key        string             `json:"key"`
	Release    release.ID         `json:"release"`
	Repository string             `json:"repository"`
	Tag        string             `json:"tag"`
	Digest     release.Digest     `json:"digest"`
	Platforms  []release.Platform `json:"platforms"`
	Plan       Plan               `json:"plan"`
	Bases      []base             `json:"bases,omitempty"`
	Committed  time.Time          `json:"committed"`
	Started    time.Time          `json:"started"`
	Finished   time.Time          `json:"finished"`
	BuildKit   string             `json:"buildkit"`

	Inputs     inputs.Set      `json:"inputs,omitempty"` // without the bases
	CheckBases []base          `json:"checkBases,omitempty"`
	Loose      []string        `json:"loose,omitempty"`   // steps that read from the network what nothing pins
	Changed    []inputs.Change `json:"changed,omitempty"` // since the last build of the service
	Why        string          `json:"why,omitempty"`     // it was built, or not
	Made       string          `json:"made,omitempty"`    // key of the build that made the image; empty: this one
	Steps      []Step          `json:"steps,omitempty"`
	LeftOut    int             `json:"leftOut,omitempty"` // steps beyond those kept
	Failed     string          `json:"failed,omitempty"`  // why there is no image; never in a record that leads to one
}

// made is the key of the build that made the image.
func (r record) made() string { return or(r.Made, r.Key) }

// base is an image that the Dockerfile started from, as BuildKit resolved it.
type base struct {
	Name   string         `json:"name"` // "docker.io/library/golang:1.26"
	Digest release.Digest `json:"digest"`
	Pinned bool           `json:"pinned,omitempty"` // the Dockerfile names the digest, so it cannot move
}

// add keeps the steps of one more solve, as long as there is room.
func (r *record) add(more []Step) {
	room := min(maxSteps-len(r.Steps), len(more))
	r.Steps, r.LeftOut = append(r.Steps, more[:room]...), r.LeftOut+len(more)-room
}

func (r record) artifact() release.Artifact {
	return release.Artifact{Repository: r.Repository, Tag: r.Tag, Digest: r.Digest, Platforms: r.Platforms, Built: r.Finished}
}

// image is what came of the build, for people.
func (r record) image() string {
	if r.Digest == "" {
		return "an image that is kept nowhere"
	}
	return r.artifact().Reference()
}

func (r record) evidence() release.Evidence {
	return release.Evidence{
		Gate: "build", Claim: fmt.Sprintf("commit %s of %s builds for %s", r.Plan.Commit.Short(), r.Plan.Service, strings.Join(r.Plan.Platforms, ", ")),
		Holds: true, From: r.Started, To: r.Finished, Detail: strings.TrimSuffix(fmt.Sprintf("%s; %s", r.image(), r.Why), "; "),
		Facts: map[string]string{"digest": string(r.Digest), "pipeline": string(r.Plan.Pipeline), "buildkit": r.BuildKit, "inputs": string(r.Inputs.Digest()), "why": r.Why},
	}
}

// recall returns the record of a key whose image the registry still has. A tag alone
// proves nothing, since anybody who may push can set one: without a record the build
// runs again, which BuildKit's cache makes short and reproducibility harmless.
func (b *Builder) recall(ctx context.Context, id release.ID, key, repository string) (record, error) {
	rec, err := b.read(b.recordFile(id, buildID(key)))
	if err != nil {
		return record{}, err
	}
	if rec.Key != key || rec.Release != id || rec.Repository != repository {
		return record{}, fmt.Errorf("record of %s: %w", id, os.ErrNotExist)
	}
	if rec.Digest == "" { // of a pull request
		return rec, nil
	}
	_, err = b.p.Registry.Resolve(ctx, oci.Ref{Repository: rec.Repository, Digest: rec.Digest})
	if errors.Is(err, oci.ErrNotFound) {
		return record{}, fmt.Errorf("record of %s: its image is gone: %w", id, os.ErrNotExist)
	}
	return rec, err
}

func (b *Builder) read(file string) (record, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return record{}, fmt.Errorf("read build record: %w", err)
	}
	var rec record
	if err := json.Unmarshal(raw, &rec); err != nil {
		return record{}, fmt.Errorf("build record %s: %v: %w", filepath.Base(file), err, fs.ErrNotExist)
	}
	return rec, nil
}

// remember puts the record on disk before anybody is told of the artifact. What leads to it
// may be lost, which costs a build, and so may that of a proof: the record of the build that
// was proved says the same.
func (b *Builder) remember(rec record) error {
	raw, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("encode build record: %w", err)
	}
	file := b.recordFile(rec.Release, buildID(rec.Key))
	if err := b.put(file, raw, rec.Made == ""); err != nil {
		return fmt.Errorf("save build record: %w", err)
	}
	if rec.Digest == "" { // of a pull request: nothing is ever compared with it
		return b.put(b.failedFile(rec.Release), raw, false)
	}
	for _, pointer := range []string{b.sameFile(rec.Inputs.Digest()), b.lastFile(rec.Plan.Service)} {
		if err := b.put(pointer, []byte(filepath.Base(file)), false); err != nil {
			return fmt.Errorf("save what leads to a build record: %w", err)
		}
	}
	return nil
}

// put replaces a file as a whole.
func (b *Builder) put(file string, content []byte, sync bool) error {
	tmp, err := os.CreateTemp(b.cfg.State, ".record-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, err = tmp.Write(content)
	if err == nil && sync {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

func (b *Builder) recordFile(id release.ID, build string) string {
	return filepath.Join(b.cfg.State, string(id)+"."+build+".json")
}

// sameFile leads to the last build of the same inputs.
func (b *Builder) sameFile(d release.Digest) string {
	return filepath.Join(b.cfg.State, sameInputs, d.Hex())
}

// lastFile leads to the last build of a service.
func (b *Builder) lastFile(s release.Service) string {
	return filepath.Join(b.cfg.State, lastBuilds, s.Team()+"."+s.Name())
}

// pointed is the record that a file leads to; fs.ErrNotExist when there is none.
func (b *Builder) pointed(pointer string) (record, error) {
	name, err := os.ReadFile(pointer)
	if err != nil {
		return record{}, fmt.Errorf("look for a build record: %w", err)
	}
	return b.read(filepath.Join(b.cfg.State, filepath.Base(string(name))))
}
