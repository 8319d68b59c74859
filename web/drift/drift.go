// Package drift has the words of the API for what differs on a cluster from what git says.
//
// Start at Comparison. It never holds what is in a Secret: the text is masked where it is
// made.
package drift

import "github.com/seatrial/seatrial/release"

// Comparison is one cluster, compared with the revision it is on.
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
