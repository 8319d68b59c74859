//go:build lab

package mesh_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// TestLabNetworkAndStressFaults carries faults of other kinds than PodChaos to their end on
// real pods. What the kernel of the machine cannot do has to be said, and to leave nothing.
func TestLabNetworkAndStressFaults(t *testing.T) {
	c := on(t, "staging")
	c.deploy("kinds", 2, 0)
	for _, f := range []struct {
		kind, action string
		with         map[string]any
		netem        bool // it needs sch_netem, which the lab's kernel may lack
	}{
		{kind: "NetworkChaos", action: "partition", with: map[string]any{"direction": "to"}},
		{kind: "NetworkChaos", action: "bandwidth", with: map[string]any{"rate": "1mbps"}},
		{kind: "NetworkChaos", action: "delay", with: map[string]any{"latency": "100ms"}, netem: true},
		{kind: "StressChaos", action: "cpu", with: map[string]any{"load": int64(50)}},
	} {
		t.Run(f.action, func(t *testing.T) {
			s := c.subject("kinds", f.action, 2)
			s.Experiment.Spec.Fault.Kind, s.Experiment.Spec.Fault.With = f.kind, f.with
			trial, v := carry(t, c.engine(nil), s, nil)
			reason := v.Reason()
			switch {
			case f.netem && v.Outcome() == release.Undetermined && strings.Contains(reason, "cannot inject: "):
				t.Logf("not possible here, and said so: %s", reason)
			case v.Outcome() != release.Passed:
				t.Errorf("%s: %s", v.Outcome(), reason)
			case trial.Fault.Injected.IsZero() || len(trial.Fault.Targets) != 1:
				t.Errorf("the fault was never active: %+v", trial.Fault)
			}
			if chaos.Live(&trial, trial.Fault.Name) {
				t.Errorf("the fault is still there: %+v", trial.Fault)
			}
		})
	}
	c.nothingLeft()
}
