package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// Stuck calls a person to a fault that nobody watches any more and that cannot be removed.
// However often it is told, it is one event.
func Stuck(tell func(context.Context, ...release.Event) error, now func() time.Time) func(context.Context, chaos.Found, error) error {
	return func(ctx context.Context, f chaos.Found, cause error) error {
		return tell(ctx, release.Event{
			ID: "fault-stuck/" + f.Fault.Cluster + "/" + f.Fault.Name, Kind: release.EventUnsteady, At: now().UTC(), Release: f.Release, About: f.Fault.Experiment, Result: "Stuck", Severity: "critical",
			Subject: fmt.Sprintf("fault %s of experiment %s on cluster %s was left behind and cannot be put back", f.Fault.Name, f.Fault.Experiment, f.Fault.Cluster), Reason: cause.Error(),
			Hint: fmt.Sprintf("look at %s %s/%s on the cluster, and at what carries the fault out there; it is tried again every minute", f.Fault.Kind, f.Fault.Namespace, f.Fault.Name),
		})
	}
}
