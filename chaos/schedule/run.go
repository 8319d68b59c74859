package schedule

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/release"
)

// States of a Run.
const (
	Planned   = "Planned"
	Injecting = "Injecting"
	Measuring = "Measuring"
	Reverting = "Reverting"
	Passed    = "Passed"
	Failed    = "Failed"
	Invalid   = "Invalid" // the fault was not injected, or was not measured: says nothing of the service
	Aborted   = "Aborted"
)

// Run is one execution of an experiment outside a release.
type Run struct {
	ID         string               `json:"id"` // sorts by time: "20261123T074500Z.kill-one-pod.staging"
	Experiment string               `json:"experiment"`
	Service    release.Service      `json:"service"`
	Env        release.Env          `json:"env"`
	Cluster    string               `json:"cluster"`
	Trigger    string               `json:"trigger"` // "schedule" or "person"
	By         string               `json:"by"`
	State      string               `json:"state"`
	Scheduled  time.Time            `json:"scheduled,omitzero"` // the time of the schedule that it is for
	Started    time.Time            `json:"started"`
	Ended      time.Time            `json:"ended,omitzero"`
	Fault      *release.FaultRecord `json:"fault,omitempty"`
	Verdict    *release.Verdict     `json:"verdict,omitempty"`
	Message    string               `json:"message,omitempty"`
	Trial      *release.Trial       `json:"trial,omitempty"` // how far it has come, with its evidence
	Abort      string               `json:"abort,omitempty"` // why it is to stop

	Revision release.Revision `json:"-"` // of the store, when it was read or saved; 0: not saved yet

	stuck bool // people were told that its fault is out of reach
	noted bool // that it is to stop is saved
}

// Over reports whether the run has ended.
func (r Run) Over() bool {
	switch r.State {
	case Passed, Failed, Invalid, Aborted:
		return true
	}
	return false
}

// Runs keeps the history of runs.
type Runs interface {
	// Save stores the run over the one of its Revision and returns the new revision, or
	// release.ErrStale when somebody else has saved it meanwhile: it is theirs then.
	Save(ctx context.Context, r Run) (release.Revision, error)
	// List is newest first, at most limit: of one experiment, or of all when it is empty;
	// older than the run with the ID after, or from the newest when that is empty.
	List(ctx context.Context, experiment, after string, limit int) ([]Run, error)
	// Active are all that have not ended, however old they are.
	Active(ctx context.Context) ([]Run, error)
}
