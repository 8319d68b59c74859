// Package drift has the words of the API for where a service is in an environment, and for
// what differs on its clusters from what git says.
//
// Start at Place and Comparison. It never holds what is in a Secret: the text is masked where it is
// made.
package drift

import "github.com/seatrial/seatrial/release"

// Question is what to compare.
type Question struct {
	Service release.Service `query:"service" required:"true" maxLength:"127" example:"shop/web"`
	Env     release.Env     `query:"env" required:"true" maxLength:"63" example:"prod"`
	Cluster string          `query:"cluster" maxLength:"63" doc:"Left out: every target"`
	To      release.ID      `query:"to" maxLength:"160" doc:"Compare with a verified release that the environment keeps: what a roll back to it would do"`
}

// Place is one service in one environment.
type Place struct {
	Service  release.Service  `json:"service"`
	Env      release.Env      `json:"env"`
	Current  *release.Placed  `json:"current,omitempty"`
	Occupant release.ID       `json:"occupant,omitempty" doc:"The release that is under way here"`
	Hold     *release.Hold    `json:"hold,omitempty"`
	Kept     []release.Placed `json:"kept" doc:"What a roll back could return to, newest first"`
	Waves    []PlaceWave      `json:"waves"`
	Left     []PlaceTarget    `json:"left,omitempty" doc:"Targets that no wave selects any more"`
}

// PlaceWave is the targets that change together.
type PlaceWave struct {
	Name    string        `json:"name"`
	Targets []PlaceTarget `json:"targets"`
}

// PlaceTarget is how one cluster is now.
type PlaceTarget struct {
	Cluster  string         `json:"cluster"`
	State    string         `json:"state"`
	Revision release.Commit `json:"revision,omitempty"`
	Variant  string         `json:"variant,omitempty" doc:"Which of the environment's paramsFor the cluster has; left out: none"`
	Message  string         `json:"message,omitempty"`
}

// Comparison is one cluster, compared with a revision.
type Comparison struct {
	Cluster  string         `json:"cluster"`
	Revision release.Commit `json:"revision"`
	Objects  []Difference   `json:"objects"`
	Problem  string         `json:"problem,omitempty"` // why it could not be compared
	Hint     string         `json:"hint,omitempty"`
}

// Difference is of one object.
type Difference struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Act       string `json:"act" enum:"create,change,delete,wait" doc:"What a sync would do; wait: it is kept until a person approves"`
	Text      string `json:"text,omitempty" doc:"Unified diff from what is there to what is wanted; secrets are masked"`
}
