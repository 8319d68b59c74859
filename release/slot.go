package release

import "time"

// Slot is one service's place in one environment: who is changing it, what git says is
// there, and what was verified there before.
type Slot struct {
	Service  Service           `json:"service"`
	Env      Env               `json:"env"`
	Version  Revision          `json:"version"`
	Occupant ID                `json:"occupant,omitempty"` // the release between Deploying and its end here; empty: free
	Current  *Placed           `json:"current,omitempty"`
	Verified []Placed          `json:"verified,omitempty"` // newest first
	Targets  map[string]Commit `json:"targets,omitempty"`  // cluster to the desired revision it is to be on
	Hold     *Hold             `json:"hold,omitempty"`
	Undo     []string          `json:"undo,omitempty"` // clusters that a release left between two shifts: to be put back to Targets
}

// Placed is a release in an environment.
type Placed struct {
	Release   ID                   `json:"release"`
	Commit    Commit               `json:"commit"`  // of the source
	Desired   Commit               `json:"desired"` // of the desired-state branch
	Image     string               `json:"image"`   // repository@digest
	Manifests Digest               `json:"manifests"`
	At        time.Time            `json:"at"`
	Metrics   map[string][]float64 `json:"metrics,omitempty"` // by "metric@cluster", as its gates measured them
	Trial     *Trial               `json:"trial,omitempty"`   // its evidence, what the next release is compared with
}

// ReturnTo is what a stage of the release bad returns to: what a person chose, else the
// last verified; false when the slot does not keep it.
func (s Slot) ReturnTo(stage Stage, bad ID) (Placed, bool) {
	if stage.To == "" {
		return s.LastVerified(bad)
	}
	for _, p := range s.Verified {
		if p.Release == stage.To && p.Release != bad {
			return p, true
		}
	}
	return Placed{}, false
}

// LastVerified is what the slot returns to when except is bad; false when nothing else
// was ever verified here.
func (s Slot) LastVerified(except ID) (Placed, bool) {
	for _, p := range s.Verified {
		if p.Release != except {
			return p, true
		}
	}
	return Placed{}, false
}
