package release

import (
	"maps"
	"slices"
	"time"
)

// Origin says where a release came from.
type Origin string

// The ways a release begins.
const (
	FromPush         Origin = "push"          // a push to an application's repo
	FromDesiredState Origin = "desired-state" // a person's push to an environment's branch
	FromPull         Origin = "pull-request"  // a pull request's newest commit: built, and nothing else
)

// Release is one commit's artifact and manifests on its way through the environments.
// Its content never changes; Phase, Stage, Wave, Shift and Step say where it stands.
type Release struct {
	ID      ID        `json:"id"`
	Service Service   `json:"service"`
	Project string    `json:"project"` // the Project whose repo it came from
	Repo    string    `json:"repo"`    // where the commit is read from, without credentials
	Ref     string    `json:"ref"`     // "refs/heads/main"
	Commit  Commit    `json:"commit"`
	Message string    `json:"message"` // first line of the commit's message
	Author  string    `json:"author"`
	Pusher  string    `json:"pusher,omitempty"` // as the forge verified it
	Origin  Origin    `json:"origin"`
	Pull    *Pull     `json:"pull,omitempty"` // when it is from a pull request; never changed in place
	Set     string    `json:"set,omitempty"`  // the name, within its project, of what is released and returned together
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Version Revision  `json:"version"` // of the stored document; the store sets it

	Phase   Phase     `json:"phase"`
	Stage   int       `json:"stage"`           // index into Stages
	Wave    int       `json:"wave"`            // index into the stage's Waves
	Shift   int       `json:"shift,omitempty"` // index into the wave's Shifts
	Step    Step      `json:"step,omitempty"`
	Attempt int       `json:"attempt"` // of this phase; raised by every retry
	Tries   int       `json:"tries"`   // errors in a row ("could not ask"); the back-off follows it
	Reason  string    `json:"reason,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	Due     time.Time `json:"due,omitzero"` // when to look again; zero: nothing to do
	Hold    *Hold     `json:"hold,omitempty"`

	Artifact *Artifact    `json:"artifact,omitempty"`
	Stages   []Stage      `json:"stages"`
	Verdicts []Judgement  `json:"verdicts,omitempty"`
	History  []Transition `json:"history,omitempty"`
}

// Pull is the pull request that a release builds. Such a release has no stages: it is
// never signed, never deployed, and nothing returns to it.
type Pull struct {
	Number   int    `json:"number"`
	Author   string `json:"author"`             // the account that opened it, as the forge says
	Base     string `json:"base"`               // the branch that it is to be merged into
	Fork     bool   `json:"fork,omitempty"`     // the commit comes from another repo
	Pipeline Commit `json:"pipeline,omitempty"` // of Base, for a fork: whose .seatrial.yaml counts
}

// Hold stops a release or a slot until a person frees it.
type Hold struct {
	By     string    `json:"by"` // a person, or "seatrial"
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Artifact is an image index by digest, with what belongs to it.
type Artifact struct {
	Repository string     `json:"repository"` // "registry.example/shop/web"
	Tag        string     `json:"tag"`        // "<git-sha>-<build-id>", for people; never used to deploy
	Digest     Digest     `json:"digest"`     // of the index
	Platforms  []Platform `json:"platforms"`
	Built      time.Time  `json:"built"`
	Signed     []Attached `json:"signed,omitempty"`
}

// Platform is one image of an index.
type Platform struct {
	Name   string `json:"name"` // "linux/arm64"
	Digest Digest `json:"digest"`
}

// Attached is a signature or attestation that was attached to a digest.
type Attached struct {
	Subject       Digest `json:"subject"`
	PredicateType string `json:"predicateType"`
	Digest        Digest `json:"digest"` // of the attached manifest
}

// Reference is what goes into manifests: repository@digest.
func (a Artifact) Reference() string { return a.Repository + "@" + string(a.Digest) }

// Stage is a release's passage through one environment.
type Stage struct {
	Env       Env                  `json:"env"`
	Manifests Digest               `json:"manifests,omitempty"` // of the rendered content
	Desired   Commit               `json:"desired,omitempty"`   // its commit on the desired-state branch
	Previous  *Placed              `json:"previous,omitempty"`  // what was verified here when this stage began
	Live      bool                 `json:"live"`                // something of this release is, or was, live here
	Waves     []Wave               `json:"waves,omitempty"`
	Trial     *Trial               `json:"trial,omitempty"`
	Metrics   map[string][]float64 `json:"metrics,omitempty"` // what the next release is compared with, by "metric@cluster"
	Started   time.Time            `json:"started,omitzero"`
	Verified  time.Time            `json:"verified,omitzero"`
	Refused   time.Time            `json:"refused,omitzero"`
	Returned  time.Time            `json:"returned,omitzero"` // when the roll back had ended
	Return    Commit               `json:"return,omitempty"`  // the commit that returned the branch
	To        ID                   `json:"to,omitempty"`      // what a person chose to return to; default: the last verified
}

// Wave is a group of targets that change together.
type Wave struct {
	Name    string    `json:"name"`
	Targets []Target  `json:"targets"`
	Shifts  []Shift   `json:"shifts,omitempty"` // how its targets change from one side to the other; none: at once
	Pause   Duration  `json:"pause,omitempty"`  // after it has passed, before the next wave
	Trial   bool      `json:"trial,omitempty"`  // the trial comes after it, beside the waves that follow
	Started time.Time `json:"started,omitzero"`
	Passed  time.Time `json:"passed,omitzero"`
}

// Target is one cluster of a wave as this release sees it.
type Target struct {
	Cluster  string    `json:"cluster"`
	State    string    `json:"state"`              // "Pending", "Syncing", "Progressing", "Healthy", "Degraded", "Unreachable", "Quarantined", "RolledBack"
	Revision Commit    `json:"revision,omitempty"` // the desired revision it is on
	Shift    string    `json:"shift,omitempty"`    // Shift.Name: it is on its way to Revision, and still has the one before
	Message  string    `json:"message,omitempty"`
	Synced   time.Time `json:"synced,omitzero"`  // when its sync ended, or began while State is Syncing
	Healthy  time.Time `json:"healthy,omitzero"` // since when, at Revision
	Away     time.Time `json:"away,omitzero"`    // since when it has not answered
}

// Trial is how far the sea trial of one stage has come. It is saved before each step,
// so that a restart knows which fault may still be injected.
type Trial struct {
	Experiment int               `json:"experiment"` // index into the environment's list
	Step       string            `json:"step"`       // owned by package chaos
	Attempt    int               `json:"attempt"`
	Fault      *FaultRecord      `json:"fault,omitempty"`
	Since      time.Time         `json:"since,omitzero"` // when Step began
	Cells      map[string]Ratio  `json:"cells,omitempty"`
	Broke      map[string]string `json:"broke,omitempty"`     // by experiment what it broke: only the same is compared
	Score      *float64          `json:"score,omitempty"`     // how well it took the faults so far, 0 to 100
	Beside     *Trial            `json:"beside,omitempty"`    // of the last verified release, at the same time, on a cluster that still has it
	BesideFor  int               `json:"besideFor,omitempty"` // the Attempt that Beside belongs to
	Evidence   []Evidence        `json:"evidence,omitempty"`
}

// Ratio counts events.
type Ratio struct {
	Good  float64 `json:"good"`
	Total float64 `json:"total"`
}

// Judgement is a verdict as it was given.
type Judgement struct {
	Gate    string    `json:"gate"` // "build", "policy", "approval", "health", "slo", "trial", …
	Env     Env       `json:"env,omitempty"`
	Wave    string    `json:"wave,omitempty"`
	Shift   string    `json:"shift,omitempty"`
	At      time.Time `json:"at"`
	Verdict Verdict   `json:"verdict"`
}

// Transition is one step of the journey.
type Transition struct {
	From    Phase     `json:"from"`
	To      Phase     `json:"to"`
	Env     Env       `json:"env,omitempty"`
	Wave    string    `json:"wave,omitempty"`
	Shift   string    `json:"shift,omitempty"`
	Step    Step      `json:"step,omitempty"`
	Attempt int       `json:"attempt"` // how often the release has come to this place, 1 the first time
	At      time.Time `json:"at"`
	By      string    `json:"by"` // a person, or "seatrial"
	Reason  string    `json:"reason,omitempty"`
}

// SamePlace reports whether both arrived at the same phase, environment, wave, shift and step.
func (t Transition) SamePlace(o Transition) bool {
	return t.To == o.To && t.Env == o.Env && t.Wave == o.Wave && t.Shift == o.Shift && t.Step == o.Step
}

// Rings reports whether the trial comes between two waves: there are clusters with this
// release and clusters with the last verified one at the same time.
func (s Stage) Rings() bool {
	return slices.ContainsFunc(s.Waves, func(w Wave) bool { return w.Trial })
}

// Now is the stage the release is in; the zero Stage when it has none.
func (r Release) Now() Stage {
	if r.Stage < 0 || r.Stage >= len(r.Stages) {
		return Stage{}
	}
	return r.Stages[r.Stage]
}

// Env is the environment the release is in or heading for.
func (r Release) Env() Env { return r.Now().Env }

// WaveName is the current wave's name, empty outside Deploying.
func (r Release) WaveName() string {
	if s := r.Now(); r.Wave < len(s.Waves) {
		return s.Waves[r.Wave].Name
	}
	return ""
}

// Clone is a deep copy, so that a pure function may change it.
func (r Release) Clone() Release {
	r.Stages = slices.Clone(r.Stages)
	for i, s := range r.Stages {
		s.Waves = slices.Clone(s.Waves)
		for j := range s.Waves {
			s.Waves[j].Targets = slices.Clone(s.Waves[j].Targets)
		}
		if s.Trial != nil {
			t := *s.Trial
			t.Cells, t.Broke, t.Evidence = maps.Clone(t.Cells), maps.Clone(t.Broke), slices.Clone(t.Evidence)
			s.Trial = &t
		}
		r.Stages[i] = s
	}
	r.Verdicts, r.History = slices.Clone(r.Verdicts), slices.Clone(r.History)
	return r
}
