package release

// Strategy is how a release replaces the one before it inside a cluster.
type Strategy struct {
	Type        string       `json:"type"`                  // "rolling" (default), "blueGreen", "canary" or "partition"
	Deployment  string       `json:"deployment,omitempty"`  // default: the only one
	StatefulSet string       `json:"statefulSet,omitempty"` // partition: default: the only one
	Service     string       `json:"service,omitempty"`     // that leads to its pods; default: the only one that does
	Route       string       `json:"route,omitempty"`       // canary: the HTTPRoute that leads to the service; default: the only one that does
	Steps       []CanaryStep `json:"steps,omitempty"`       // canary: what it serves, one after the other, before it serves everything; partition: how many pods are of it
	Observe     Duration     `json:"observe,omitempty"`     // how long it is measured while it serves everything; the environment's SLO gate may say longer
}

// CanaryStep is a part of the requests.
type CanaryStep struct {
	Weight  int      `json:"weight"`            // percent of the requests, 1 to 99, more with each step
	Observe Duration `json:"observe,omitempty"` // how long it is measured; the environment's SLO gate may say longer
}

// The types of a strategy.
const (
	Rolling   = "rolling"
	BlueGreen = "blueGreen"
	Canary    = "canary"
	Partition = "partition" // of a StatefulSet: its pods change from the last on
)

// Shift is one step of a strategy on the targets of a wave: which side serves how much.
// The last shift of a wave has no name: the plain manifests of the release are all there is.
type Shift struct {
	Name    string   `json:"name,omitempty"`    // "warm", "10%", "replace", "drain"; empty: the strategy is through
	Weight  int      `json:"weight,omitempty"`  // percent of the requests that the new side serves
	Observe Duration `json:"observe,omitempty"` // at least so long
	SLO     bool     `json:"slo,omitempty"`     // it is measured before the next
}

// Shifting is the shift that the current wave is in; false when it has none.
func (r Release) Shifting() (Shift, bool) {
	s := r.Now()
	if r.Wave < 0 || r.Wave >= len(s.Waves) || r.Shift < 0 || r.Shift >= len(s.Waves[r.Wave].Shifts) {
		return Shift{}, false
	}
	return s.Waves[r.Wave].Shifts[r.Shift], true
}

// Leave takes the targets of the current stage that are between two shifts for such that
// the release has never reached; its wave would begin anew. It changes the release in place.
func (r *Release) Leave() {
	for _, w := range r.Now().Waves {
		for i, t := range w.Targets {
			if t.Shift == "" {
				continue
			}
			w.Targets[i] = Target{Cluster: t.Cluster, State: "Pending"}
			if r.Phase == Deploying {
				r.Shift, r.Step = 0, StepSync
			}
		}
	}
}
