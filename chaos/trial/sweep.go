package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// chaotic lists the clusters that faults may be injected into, by name.
func chaotic(p chaos.Platform) []string {
	var names []string
	for name, c := range p.Clusters {
		if c.Spec.Chaos {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// RevertAll removes every fault of a release from the given clusters, or from all that run
// Chaos Mesh, and returns when each is verified to be gone; an error names the first that
// is not, and the call may be repeated.
func (tr *Trial) RevertAll(ctx context.Context, id release.ID, clusters ...string) error {
	if len(clusters) == 0 {
		p, err := tr.Platform(ctx)
		if err != nil {
			return fmt.Errorf("read the platform: %w", err)
		}
		clusters = chaotic(p)
	}
	_, err := tr.revert(ctx, clusters, func(f chaos.Found) bool { return f.Release == id })
	return err
}

// overdue is how long after its end a fault is left to its own run.
const overdue = time.Minute

// Sweep removes the faults that a run left behind: those of ours whose run is not active,
// or that should have ended and did not. It returns what it removed.
func (tr *Trial) Sweep(ctx context.Context, active func(run string) bool) ([]release.FaultRecord, error) {
	p, err := tr.Platform(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the platform: %w", err)
	}
	return tr.revert(ctx, chaotic(p), func(f chaos.Found) bool {
		late := !f.Until.IsZero() && tr.Engine.Now().After(f.Until.Add(overdue))
		return late || !active(f.Run)
	})
}

func (tr *Trial) revert(ctx context.Context, clusters []string, which func(chaos.Found) bool) ([]release.FaultRecord, error) {
	var gone []release.FaultRecord
	var problems []error
	for _, cluster := range clusters {
		found, err := tr.Engine.Finder.Faults(ctx, cluster)
		if err != nil {
			problems = append(problems, fmt.Errorf("look for faults on %s: %w", cluster, err))
		}
		for _, f := range found {
			if !which(f) {
				continue
			}
			err := tr.Engine.Remove(ctx, f.Fault)
			if err = errors.Join(err, tr.tell(ctx, f, err)); err != nil {
				problems = append(problems, err)
				continue
			}
			tr.Log.Info("fault reverted", "cluster", cluster, "fault", f.Fault.Name, "run", f.Run, "release", f.Release)
			gone = append(gone, f.Fault)
		}
	}
	return gone, errors.Join(problems...)
}

// tell has a person hear of a fault that cannot be removed.
func (tr *Trial) tell(ctx context.Context, f chaos.Found, err error) error {
	key := f.Fault.Cluster + "/" + f.Fault.Name
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err == nil {
		delete(tr.failing, key)
		return nil
	}
	if tr.failing == nil {
		tr.failing = map[string]time.Time{}
	}
	now := tr.Engine.Now()
	since, known := tr.failing[key]
	if !known {
		tr.failing[key] = now
	}
	if !known || now.Sub(since) < stuckAfter || tr.Stuck == nil {
		return nil
	}
	return tr.Stuck(ctx, f, err)
}

// stuckAfter is how long a fault may resist before a person is called: a little less than
// from one sweep to the next.
const stuckAfter = 50 * time.Second
