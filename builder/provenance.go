package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/plan"
	"github.com/seatrial/seatrial/release"
)

// The build types name how external parameters are to be read.
const (
	BuildType   = "https://seatrial.dev/build/dockerfile/v1"
	PlannedType = "https://seatrial.dev/build/plan/v1" // without a Dockerfile
)

// The SLSA v1 predicate, as far as we say something.
type provenance struct {
	Definition definition `json:"buildDefinition"`
	Run        runDetails `json:"runDetails"`
}

type definition struct {
	BuildType    string             `json:"buildType"`
	External     externalParameters `json:"externalParameters"`
	Internal     map[string]string  `json:"internalParameters"`
	Dependencies []resource         `json:"resolvedDependencies"`
}

// externalParameters are everything that came from outside the platform.
type externalParameters struct {
	Service  release.Service `json:"service"`
	Source   sourceParameter `json:"source"`
	Pipeline fileParameter   `json:"pipeline"`
	Build    buildParameters `json:"build"`
}

type sourceParameter struct {
	Repository string         `json:"repository"`
	Ref        string         `json:"ref"`
	Commit     release.Commit `json:"commit"`
}

type fileParameter struct {
	Path   string            `json:"path"`
	Digest map[string]string `json:"digest"`
}

type buildParameters struct {
	Context    string               `json:"context"`
	Dockerfile string               `json:"dockerfile,omitempty"`
	Plan       *plan.Plan           `json:"plan,omitempty"`
	Target     string               `json:"target,omitempty"`
	Args       map[string]string    `json:"args"`
	Platforms  []string             `json:"platforms"`
	Checks     []release.BuildCheck `json:"checks,omitempty"`
	Secrets    []string             `json:"secrets,omitempty"` // ids only
	Contexts   map[string]string    `json:"contexts,omitempty"`
}

type resource struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

type runDetails struct {
	Builder  builderID `json:"builder"`
	Metadata metadata  `json:"metadata"`
}

type builderID struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version"`
}

type metadata struct {
	InvocationID string    `json:"invocationId"`
	Started      time.Time `json:"startedOn"`
	Finished     time.Time `json:"finishedOn"`
}

// Provenance is the SLSA v1 predicate of the build that made a release's artifact, from
// our own record of it; fs.ErrNotExist when there is none. It never holds a secret.
func (b *Builder) Provenance(_ context.Context, r release.Release) ([]byte, error) {
	if r.Artifact == nil {
		return nil, fmt.Errorf("provenance of %s: no artifact: %w", r.ID, fs.ErrNotExist)
	}
	_, build, _ := strings.Cut(r.Artifact.Tag, "-")
	rec, err := b.read(b.recordFile(r.ID, build))
	if err != nil {
		return nil, err
	}
	if rec.Digest != r.Artifact.Digest {
		return nil, fmt.Errorf("provenance of %s: the record is about %s: %w", r.ID, rec.Digest, fs.ErrNotExist)
	}
	raw, err := json.Marshal(describe(rec, b.cfg.ID))
	if err != nil {
		return nil, fmt.Errorf("provenance of %s: %w", r.ID, err)
	}
	if logs.NewMasker(b.p.Secrets()...).Found(string(raw)) {
		return nil, fmt.Errorf("provenance of %s: it holds the value of a secret and is not published", r.ID)
	}
	return raw, nil
}

func describe(rec record, id string) provenance {
	p := rec.Plan
	out := provenance{
		Definition: definition{
			BuildType: BuildType,
			External: externalParameters{
				Service:  p.Service,
				Source:   sourceParameter{p.Repository, p.Ref, p.Commit},
				Pipeline: fileParameter{".seatrial.yaml", map[string]string{"sha256": p.Pipeline.Hex()}},
				Build:    buildParameters{p.Context, p.Dockerfile, p.Planned, p.Target, p.Args, p.Platforms, p.Checks, p.Secrets, p.Contexts},
			},
			Internal:     map[string]string{"SOURCE_DATE_EPOCH": epoch(rec.Committed)},
			Dependencies: []resource{{URI: "git+" + p.Repository + "@" + p.Ref, Digest: map[string]string{"gitCommit": string(p.Commit)}}},
		},
		Run: runDetails{
			Builder:  builderID{ID: id, Version: map[string]string{"buildkit": rec.BuildKit}},
			Metadata: metadata{InvocationID: rec.made(), Started: rec.Started, Finished: rec.Finished},
		},
	}
	if p.Planned != nil {
		out.Definition.BuildType = PlannedType
	}
	for _, base := range append(p.images(), rec.Bases...) {
		out.Definition.Dependencies = append(out.Definition.Dependencies, resource{URI: "docker-image://" + base.Name, Digest: map[string]string{"sha256": base.Digest.Hex()}})
	}
	return out
}
