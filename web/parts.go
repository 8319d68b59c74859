package web

import (
	"context"
	"errors"
	"fmt"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/builds"
	"github.com/seatrial/seatrial/web/drift"
	"github.com/seatrial/seatrial/web/hooks"
	"github.com/seatrial/seatrial/web/reports"
	"github.com/seatrial/seatrial/web/runs"
	"github.com/seatrial/seatrial/web/stream"
	"github.com/seatrial/seatrial/web/vault"
)

// What a part may answer besides success. Wrap them: the text goes to the person who
// asked, with the hint that internal/hint finds in it. Any other error is logged, and
// the person only learns that something broke.
var (
	ErrNotFound = errors.New("not found")         // 404
	ErrStale    = errors.New("changed meanwhile") // 412 with If-Match, else 409
	ErrRefused  = errors.New("not possible now")  // 409: its state does not allow it
	ErrInvalid  = errors.New("invalid")           // 422: the request makes no sense
	ErrTooOld   = stream.ErrTooOld                // of Watch: that revision is no longer kept
)

// Parts is everything web needs of the rest of the platform. All fields are needed.
type Parts struct {
	Releases    Releases
	Acts        Acts
	Logs        Logs
	Builds      Builds
	Experiments Experiments
	Reports     reports.Maker
	Consents    runs.Desk
	Switch      Switch
	Objectives  Objectives
	Diary       Diary
	Silences    Silences
	Fleet       Fleet
	Changes     Changes
	Vault       vault.Vault // people, sessions, tokens, idempotency records

	Known  hooks.Known  // which repos may send webhooks
	Intake hooks.Intake // keeps a push durably, once per delivery

	Ready func(ctx context.Context) error // nil when the server can do its work
}

// Releases reads releases.
type Releases interface {
	// Release returns one whole release, or ErrNotFound.
	Release(ctx context.Context, id release.ID) (release.Release, error)
	// Releases returns a page, newest first, all conditions of f applied.
	Releases(ctx context.Context, f Filter) (ReleasePage, error)
	// Returning are the releases that a roll back of one in env brings back with it.
	Returning(ctx context.Context, id release.ID, env release.Env) ([]release.Release, error)
}

// Filter selects releases; empty fields select all.
type Filter struct {
	Service release.Service
	Env     release.Env   // the environment it is in or heading for
	Phase   release.Phase // Unknown: any
	Query   string        // in id, message, author or commit, letter case ignored
	After   string        // ReleasePage.Next of the page before
	Limit   int           // 1 to 200
}

// ReleasePage is a page of releases.
type ReleasePage struct {
	Items []release.Release
	Next  string // empty: that was the last page
}

// Act is what a person asks of a release.
type Act struct {
	Release   release.ID
	Env       release.Env // of Rollback and Approve
	To        release.ID  // of Rollback: what to return to; default: the last verified
	By        string      // who asks
	Reason    string
	IfVersion release.Revision // 0: any; else ErrStale when the release has moved on
}

// Do carries out an act and returns the release as it was saved.
type Do func(ctx context.Context, a Act) (release.Release, error)

// Acts are the things a person can do to a release. Each saves the intent and returns;
// the work is the Runner's.
type Acts struct{ Rollback, Hold, Free, Retry, Approve Do }

// Logs reads build logs.
type Logs interface {
	// Log returns up to limit lines from line number from on, or ErrNotFound.
	Log(ctx context.Context, id release.ID, from, limit int) (builds.LogPage, error)
	// Follow calls fn with lines from number from on, in batches, as they come, and
	// returns when the log is complete or ctx ends.
	Follow(ctx context.Context, id release.ID, from int, fn func([]builds.LogLine) error) error
	// Search returns lines with a text in them, in order; it looks at a bounded part of
	// the log.
	Search(ctx context.Context, id release.ID, q builds.LogQuery) (builds.LogMatches, error)
}

// Builds tells how images were made. Its lists are never nil.
type Builds interface {
	// Build is how the image of a release was built; ErrNotFound until a build has ended.
	Build(ctx context.Context, id release.ID) (builds.Build, error)
	// Components is a page of what is in one platform of an image, the first platform
	// when the filter names none; ErrNotFound when there is no image or no such platform.
	Components(ctx context.Context, id release.ID, f builds.Filter) (builds.Components, error)
	// SBOM is that platform's whole document in a version of CycloneDX, "" for the one it
	// is kept in; ErrInvalid for a version that there is not.
	SBOM(ctx context.Context, id release.ID, platform, version string) ([]byte, error)
}

// Experiments reads and starts experiments.
type Experiments interface {
	Experiments(ctx context.Context) ([]Experiment, error)
	Runs(ctx context.Context, f RunFilter) (RunPage, error)
	// Start runs an experiment once; ErrRefused when its limits or a rollout forbid it.
	Start(ctx context.Context, s Start) (Run, error)
	// Abort reverts the fault and ends the run.
	Abort(ctx context.Context, id, by, reason string) (Run, error)
	// Plan says what a run that somebody starts would hit now, and breaks nothing.
	Plan(ctx context.Context, q runs.Question, by string) (runs.Plan, error)
}

// Switch stops everything that is broken on purpose, everywhere.
type Switch interface {
	// State says why nothing may be broken; "" when it may.
	State(ctx context.Context) string
	Stop(ctx context.Context, by, reason string) error
	Resume(ctx context.Context) error
}

// Start is what a person asks of an experiment.
type Start struct {
	Experiment string
	Env        release.Env
	Service    release.Service // empty: the experiment's own
	By, Reason string
}

// RunFilter selects runs, newest first.
type RunFilter struct {
	Name  string // of the experiment; empty: all
	After string
	Limit int
}

// RunPage is a page of runs.
type RunPage struct {
	Items []Run
	Next  string
}

// Fleet reads what is there.
type Fleet interface {
	Board(ctx context.Context) (Board, error)
	Clusters(ctx context.Context) ([]Cluster, error)
	// Drift compares the targets of a service, or one of them; ErrNotFound when it has none.
	Drift(ctx context.Context, q drift.Question) ([]drift.Comparison, error)
	// Resources is what a service has on a cluster; ErrNotFound when it is not there.
	Resources(ctx context.Context, at drift.Spot) (drift.Tree, error)
	// Object is what explains the state of an object of that; ErrNotFound when it has none such.
	Object(ctx context.Context, q drift.ObjectQuestion) (drift.Object, error)
	// Place is where a service is; ErrNotFound for an environment that does not exist.
	Place(ctx context.Context, s release.Service, env release.Env) (drift.Place, error)
	// Hold lets nothing enter the place, and no next wave begin, until it is called with
	// nil; ErrNotFound for an environment that does not exist.
	Hold(ctx context.Context, s release.Service, env release.Env, hold *release.Hold) (drift.Place, error)
}

// Changes is the store's history in our words.
type Changes interface {
	// Revision is the newest revision.
	Revision(ctx context.Context) (release.Revision, error)
	// Watch calls fn with every change after revision from, in order and without gaps,
	// until ctx ends or fn returns an error. ErrTooOld: the history starts later.
	Watch(ctx context.Context, from release.Revision, fn func(Change) error) error
}

// Change is one document that changed; exactly one field beside Revision is set.
type Change struct {
	Revision release.Revision
	Release  *release.Release
	Slot     *release.Slot
	Run      *Run
}

// Validate names every part that is missing.
func (p Parts) Validate() error {
	var all []error
	for name, missing := range map[string]bool{
		"Releases": p.Releases == nil, "Logs": p.Logs == nil, "Builds": p.Builds == nil, "Experiments": p.Experiments == nil, "Consents": p.Consents == nil, "Objectives": p.Objectives == nil, "Diary": p.Diary == nil, "Reports": p.Reports == nil,
		"Fleet": p.Fleet == nil, "Changes": p.Changes == nil, "Vault": p.Vault == nil, "Known": p.Known == nil,
		"Intake": p.Intake == nil, "Ready": p.Ready == nil, "Acts.Rollback": p.Acts.Rollback == nil,
		"Acts.Hold": p.Acts.Hold == nil, "Acts.Free": p.Acts.Free == nil, "Acts.Retry": p.Acts.Retry == nil,
		"Acts.Approve": p.Acts.Approve == nil,
	} {
		if missing {
			all = append(all, fmt.Errorf("web: part %s is missing", name))
		}
	}
	return errors.Join(all...)
}
