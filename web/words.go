package web

import (
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/drift"
)

// ReleaseSummary is a release in one line of a list.
type ReleaseSummary struct {
	ID      release.ID       `json:"id"`
	Service release.Service  `json:"service"`
	Commit  release.Commit   `json:"commit"`
	Message string           `json:"message"`
	Author  string           `json:"author"`
	Origin  release.Origin   `json:"origin"`
	Pull    *release.Pull    `json:"pull,omitempty"`
	Phase   release.Phase    `json:"phase"`
	Env     release.Env      `json:"env,omitempty"`
	Wave    string           `json:"wave,omitempty"`
	Step    release.Step     `json:"step,omitempty"`
	Reason  string           `json:"reason,omitempty"`
	Hint    string           `json:"hint,omitempty"`
	Created time.Time        `json:"created"`
	Updated time.Time        `json:"updated"`
	Version release.Revision `json:"version"`
	Hold    *release.Hold    `json:"hold,omitempty"`
}

// Summary is the release in one line.
func Summary(r release.Release) ReleaseSummary {
	return ReleaseSummary{ID: r.ID, Service: r.Service, Commit: r.Commit, Message: r.Message, Author: r.Author, Origin: r.Origin, Pull: r.Pull,
		Phase: r.Phase, Env: r.Env(), Wave: r.WaveName(), Step: r.Step, Reason: r.Reason, Hint: r.Hint,
		Created: r.Created, Updated: r.Updated, Version: r.Version, Hold: r.Hold}
}

// slim is a release without the bodies of its evidence, for lists.
func slim(r release.Release) release.Release {
	r = r.Clone()
	for i := range r.Verdicts {
		r.Verdicts[i].Verdict = bare(r.Verdicts[i].Verdict)
	}
	for i := range r.Stages {
		r.Stages[i].Trial, r.Stages[i].Metrics = slimTrial(r.Stages[i].Trial), nil
		if p := r.Stages[i].Previous; p != nil {
			r.Stages[i].Previous = slimPlaced(p)
		}
	}
	return r
}

// slimPlaced is a release in an environment without the bodies of its evidence.
func slimPlaced(p *release.Placed) *release.Placed {
	if p == nil {
		return nil
	}
	q := *p
	q.Trial, q.Metrics = slimTrial(q.Trial), nil
	return &q
}

func slimTrial(t *release.Trial) *release.Trial {
	if t == nil {
		return nil
	}
	u := *t
	u.Evidence, u.Beside = nil, nil
	return &u
}

// slimSlot is a slot without evidence, for the stream.
func slimSlot(s release.Slot) release.Slot {
	s.Current = slimPlaced(s.Current)
	verified := make([]release.Placed, len(s.Verified))
	for i := range s.Verified {
		verified[i] = *slimPlaced(&s.Verified[i])
	}
	s.Verified = verified
	return s
}

// bare is a verdict without its evidence.
func bare(v release.Verdict) release.Verdict {
	return without(v).Coded(v.Code())
}

func without(v release.Verdict) release.Verdict {
	switch v.Outcome() {
	case release.Passed:
		return release.Pass().Because(v.Reason())
	case release.Waiting:
		return release.Wait(v.Reason(), v.After())
	case release.Refused:
		return release.Refuse(v.Reason(), v.Hint())
	case release.Undetermined:
		return release.Inconclusive(v.Reason(), v.Hint())
	}
	return release.Verdict{}
}

// Board is every service in every environment.
type Board struct {
	Environments []BoardEnvironment `json:"environments"` // in the order of the journey
	Services     []BoardService     `json:"services"`
	Revision     release.Revision   `json:"revision"`
}

// BoardEnvironment is a column.
type BoardEnvironment struct {
	Name  release.Env `json:"name"`
	After release.Env `json:"after,omitempty"`
	Waves []BoardWave `json:"waves"`
}

// BoardWave is a wave with the clusters its labels select.
type BoardWave struct {
	Name     string   `json:"name"`
	Clusters []string `json:"clusters"`
}

// BoardService is a row.
type BoardService struct {
	Service release.Service `json:"service"`
	Project string          `json:"project"`
	Latest  *ReleaseSummary `json:"latest,omitempty"`
	Slots   []BoardSlot     `json:"slots"`
}

// BoardSlot is a service in an environment.
type BoardSlot struct {
	Env       release.Env         `json:"env"`
	Current   *release.Placed     `json:"current,omitempty"`
	Occupant  release.ID          `json:"occupant,omitempty"`
	Releasing *ReleaseSummary     `json:"releasing,omitempty"`
	Hold      *release.Hold       `json:"hold,omitempty"`
	Health    string              `json:"health" enum:"Healthy,Progressing,Degraded,Unknown"`
	Targets   []drift.PlaceTarget `json:"targets"`
}

// Experiment is an experiment with its schedule and its last runs.
type Experiment struct {
	Name    string                 `json:"name"`
	Spec    release.ExperimentSpec `json:"spec"`
	Next    time.Time              `json:"next,omitzero"`
	Running *Run                   `json:"running,omitempty"`
	Last    []Run                  `json:"last"`
}

// Run is one run of an experiment.
type Run struct {
	ID         string               `json:"id"`
	Experiment string               `json:"experiment"`
	Service    release.Service      `json:"service"`
	Env        release.Env          `json:"env"`
	Cluster    string               `json:"cluster"`
	Trigger    string               `json:"trigger" enum:"schedule,person,trial"`
	By         string               `json:"by,omitempty"`
	State      string               `json:"state" enum:"Planned,Injecting,Measuring,Reverting,Passed,Failed,Invalid,Aborted"`
	Scheduled  time.Time            `json:"scheduled,omitzero" doc:"The time of the schedule that it is for"`
	Started    time.Time            `json:"started,omitzero"`
	Ended      time.Time            `json:"ended,omitzero"`
	Fault      *release.FaultRecord `json:"fault,omitempty"`
	Verdict    *release.Verdict     `json:"verdict,omitempty"`
	Message    string               `json:"message,omitempty"`
}

// Stop is whether things may be broken on purpose.
type Stop struct {
	Stopped bool   `json:"stopped"`
	Why     string `json:"why,omitempty"`
}

// Cluster is a place to deploy to, as it is now.
type Cluster struct {
	Name    string            `json:"name"`
	Labels  map[string]string `json:"labels"`
	State   string            `json:"state" enum:"Ready,Unreachable,Unknown"`
	Message string            `json:"message,omitempty"`
	Chaos   bool              `json:"chaos" doc:"Chaos Mesh runs there"`
}
