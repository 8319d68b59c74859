package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// removeLimit is how long Remove tries; Chaos Mesh needs well under a second.
const removeLimit = 30 * time.Second

// Remove reverts a fault and waits until it is verified to be gone.
func (e *Engine) Remove(ctx context.Context, f release.FaultRecord) error {
	limited, cancel := context.WithTimeout(ctx, removeLimit)
	defer cancel()
	what := fmt.Sprintf("revert %s %s/%s on %s", f.Kind, f.Namespace, f.Name, f.Cluster)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var seen Sight
	for began := e.Now(); ; {
		sight, err := e.remove(limited, f, Escalate(e.Now().Sub(began)))
		if err == nil && sight.State == Gone {
			return nil
		}
		if err == nil {
			seen = sight
		}
		if err != nil && (limited.Err() == nil || seen.State == SightUnknown) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-limited.Done():
			return hint.Add(fmt.Errorf("%s: still there after %s: %s", what, removeLimit, seen.Message), byHand(f))
		case <-tick.C:
		}
	}
}

func (e *Engine) remove(ctx context.Context, f release.FaultRecord, force Force) (Sight, error) {
	if err := e.Provider.Revert(ctx, f, force); err != nil {
		return Sight{}, err
	}
	return e.Provider.Look(ctx, f)
}

// byHand is what a person can do about a fault that stays.
func byHand(f release.FaultRecord) string {
	switch f.Kind {
	case faults.Exec:
		return "put back in the pods what it changed, then take annotation and label seatrial.dev/exec off them"
	case faults.ConnectionPool:
		return "look at the database: its user is still limited"
	}
	return "look at Chaos Mesh's controller on " + f.Cluster + ": it removes the fault"
}
