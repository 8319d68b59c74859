// Package report makes one page of what a trial or a run of an experiment has shown, and a
// summary of many, as HTML, Markdown or JSON.
//
// Start at OfTrial, OfRun and Summarise, which read records, then at Write. It never asks
// anybody and never decides: the verdict is the one that was recorded, beside the one that
// the samples come to now. What was not measured is said to be not measured.
package report

import (
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/release"
)

// Format names the JSON of a Report; it changes when a reader of the old one would be misled.
const Format = "seatrial.dev/report/v1"

// What a Report is about.
const (
	Trial = "trial" // of a release in an environment
	Run   = "run"   // of one experiment, outside of releases
)

// Report is one page. Its texts are single lines without control characters.
type Report struct {
	Format      string       `json:"format"`
	Subject     Subject      `json:"subject"`
	Recorded    Verdict      `json:"recorded"` // as it was given; Outcome empty: none was
	Replayed    Verdict      `json:"replayed"` // what the stored samples come to
	Agrees      bool         `json:"agrees"`   // both have the same outcome
	Experiments []Experiment `json:"experiments"`
	NotMeasured []string     `json:"notMeasured"` // of the whole; each experiment has its own
}

// Subject is what was tried.
type Subject struct {
	Kind    string    `json:"kind"` // Trial or Run
	ID      string    `json:"id"`   // of the release or the run
	Service string    `json:"service"`
	Env     string    `json:"env"`
	Commit  string    `json:"commit,omitempty"`
	Image   string    `json:"image,omitempty"`
	Message string    `json:"message,omitempty"` // of the commit
	State   string    `json:"state"`             // of the release or the run
	Score   *float64  `json:"score,omitempty"`   // how well it took its faults, 0..100
	Trigger string    `json:"trigger"`           // "release", "schedule" or "person"
	By      string    `json:"by,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"` // zero: it has not
}

// Verdict is a release.Verdict without its evidence.
type Verdict struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// Experiment is the last attempt at one experiment.
type Experiment struct {
	Name        string     `json:"name"`
	Attempt     int        `json:"attempt"` // the last; those before it decide nothing
	Cluster     string     `json:"cluster,omitempty"`
	Revision    string     `json:"revision,omitempty"`
	Verdict     Verdict    `json:"verdict"` // what its samples come to
	Hypothesis  []string   `json:"hypothesis"`
	Fault       *Fault     `json:"fault,omitempty"`
	Aim         string     `json:"aim,omitempty"` // whom it might have hit
	Targets     []string   `json:"targets"`       // whom it hit, "namespace/pod"
	LeftOut     int        `json:"leftOut,omitempty"`
	SLOs        []SLO      `json:"slos"`
	Recovery    Recovery   `json:"recovery"`
	Compared    []Compared `json:"compared"`
	Timeline    []Moment   `json:"timeline"`
	NotMeasured []string   `json:"notMeasured"`
}

// Fault is what was broken.
type Fault struct {
	Kind      string            `json:"kind"`
	Action    string            `json:"action"`
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	With      map[string]string `json:"with,omitempty"` // what the action was told, as JSON
	Lasts     bool              `json:"lasts"`          // until it is reverted; false: it strikes once
	Injected  time.Time         `json:"injected,omitzero"`
	Reverted  time.Time         `json:"reverted,omitzero"` // when its revert began
	Gone      time.Time         `json:"gone,omitzero"`     // when it was verified to be gone
}

// SLO is one promise without and under the fault; nil: no window was recorded.
type SLO struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Objective *float64 `json:"objective,omitempty"` // 0..1
	Without   *Window  `json:"without,omitempty"`
	Under     *Window  `json:"under,omitempty"`
}

// Window is one measurement. It has one share; Way is how that came about, as far as it was
// recorded.
type Window struct {
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Share   *float64  `json:"share,omitempty"` // of good events; nil: not measured
	Low     float64   `json:"low,omitempty"`   // the true share is between Low and High
	High    float64   `json:"high,omitempty"`
	Good    float64   `json:"good,omitempty"`
	Total   float64   `json:"total,omitempty"`
	Outcome string    `json:"outcome,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Pieces  []Piece   `json:"pieces,omitempty"` // events over the window, where they were asked for
	Way     []Step    `json:"way,omitempty"`
	Asked   []Asked   `json:"asked"`
}

// Step is the share of good events in the part of a window that ends there.
type Step struct {
	At    time.Time `json:"at"`
	Share float64   `json:"share"`
}

// Piece is a part of a window.
type Piece struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Events float64   `json:"events"`
}

// Asked is one question to Prometheus with the sum of its answer.
type Asked struct {
	Name     string    `json:"name"`
	Expr     string    `json:"expr"`
	At       time.Time `json:"at"`
	Sum      float64   `json:"sum"`
	Samples  int       `json:"samples"`
	Warnings []string  `json:"warnings,omitempty"`
}

// Resolution is how exactly, in seconds, pods tell when they became ready.
const Resolution = 1.0

// Recovery is how long the service took to be whole again once the fault did no more harm.
type Recovery struct {
	Measured   bool    `json:"measured"`
	Recovered  bool    `json:"recovered"`
	AtLeast    float64 `json:"atLeast,omitempty"` // seconds
	Below      float64 `json:"below,omitempty"`   // seconds: AtLeast and the resolution
	Resolution float64 `json:"resolution,omitempty"`
	Limit      float64 `json:"limit,omitempty"` // seconds, when it did not recover
	Detail     string  `json:"detail,omitempty"`
}

// Compared is the last verified release under the same fault, for one SLO.
type Compared struct {
	SLO    string      `json:"slo"`
	Claim  string      `json:"claim"`
	Holds  bool        `json:"holds"`
	Now    *float64    `json:"now,omitempty"` // the share of good events under the fault
	Before *float64    `json:"before,omitempty"`
	Detail string      `json:"detail,omitempty"`
	Beside string      `json:"beside,omitempty"` // the cluster where the last verified release was tried at the same time; empty: it was tried before
	Table  *Table      `json:"table,omitempty"`  // nil: the four cells are not recorded
	Extra  *Difference `json:"extra,omitempty"`  // in differences; nil: the cells do not tell
}

// Table is the two-by-two: shares of good events, nil where there was none to count.
type Table struct {
	VerifiedWithout  *float64 `json:"verifiedWithout"`
	VerifiedUnder    *float64 `json:"verifiedUnder"`
	CandidateWithout *float64 `json:"candidateWithout"`
	CandidateUnder   *float64 `json:"candidateUnder"`
}

// Difference is what the fault does to the candidate alone, in shares of good events;
// negative is worse. Low and High hold it in 98 of 100 cases.
type Difference struct {
	By         float64 `json:"by"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"` // that it is below zero, 0..1
}

// Moment is one line of the timeline.
type Moment struct {
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"`
	What   string    `json:"what"`
	Detail string    `json:"detail,omitempty"`
}

func verdictOf(v release.Verdict) Verdict {
	out := Verdict{Reason: clean(v.Reason()), Hint: clean(v.Hint())}
	if v.Outcome() != release.NoOutcome {
		out.Outcome = v.Outcome().String()
	}
	return out
}

// of fills in what both kinds of records have: a trial with its evidence, and the verdict
// that was recorded.
func of(s Subject, t release.Trial, recorded release.Verdict, rejudge chaos.Rejudge) Report {
	s.Score = number(t.Score)
	r := Report{Format: Format, Subject: s, Recorded: verdictOf(recorded), NotMeasured: []string{}, Experiments: []Experiment{}}
	for _, name := range evidence.Experiments(t.Evidence) {
		r.Experiments = append(r.Experiments, experiment(name, t.Evidence, rejudge, s.Kind == Trial))
	}
	again := chaos.Replay(t, rejudge)
	r.Replayed = verdictOf(again)
	r.Agrees = recorded.Outcome() == again.Outcome()
	switch {
	case len(r.Experiments) == 0:
		r.NotMeasured = append(r.NotMeasured, "everything: nothing was recorded")
	case s.Ended.IsZero():
		r.NotMeasured = append(r.NotMeasured, "what is still to come: it had not ended when this was written")
	}
	return r
}
