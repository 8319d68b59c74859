package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Labels of ours on every fault.
const (
	LabelRun     = "seatrial.dev/run"     // the fault's name: one fault per run
	LabelRelease = "seatrial.dev/release" // the release on trial; absent in scheduled runs
	LabelManaged = "seatrial.dev/managed" // "true"

	// LabelInstallation says whose fault it is where several Seatrials share a cluster;
	// absent: of a version that did not say so.
	LabelInstallation = "seatrial.dev/installation"
	LabelChaos        = "seatrial.dev/chaos" // on a namespace: "allowed" or "refused"
)

// Provider breaks and puts back. Every method may be repeated: the second call of the
// same changes nothing.
type Provider interface {
	// Inject creates the fault. *CannotInject: this cluster refuses it, the message says why.
	Inject(ctx context.Context, o Order) error
	// Look is what has become of the fault.
	Look(ctx context.Context, f release.FaultRecord) (Sight, error)
	// Revert asks for the fault's removal, with more force each time it did not help.
	Revert(ctx context.Context, f release.FaultRecord, force Force) error
}

// Preparer is a Provider that has to know what it changes as it was, before the intent is
// saved: the record it returns carries that, in Before.
type Preparer interface {
	// Prepare changes nothing. *CannotInject: it could not be carried out, or not put back.
	Prepare(ctx context.Context, o Order) (release.FaultRecord, error)
}

// Lister is a Provider that finds its faults again.
type Lister interface {
	// Faults are those on behalf of a cluster's services that have not been reverted.
	Faults(ctx context.Context, cluster string) ([]Found, error)
}

// Finder lists what a cluster has.
type Finder interface {
	// Pods are the pods that a selector matches, those that are going away left out.
	Pods(ctx context.Context, cluster, namespace string, labels map[string]string) ([]Pod, error)
	// Wanted is how many pods the workloads whose pods a selector matches want now; 0 when
	// that cannot be told.
	Wanted(ctx context.Context, cluster, namespace string, labels map[string]string) (int, error)
	// Namespace is a namespace's labels.
	Namespace(ctx context.Context, cluster, name string) (map[string]string, error)
	// Faults are the faults that carry LabelManaged.
	Faults(ctx context.Context, cluster string) ([]Found, error)
}

// Measure asks for the SLOs of a service on one cluster between two moments; slo.Gate has
// it. Each evidence names its SLO in the fact "slo" and its outcome in "outcome"; before to
// has come that is Wait, or Refuse when it is clear already.
type Measure func(ctx context.Context, service release.Service, env release.Env, cluster string, names []string, from, to time.Time) ([]release.Evidence, error)

// Order is a fault to create. Its targets are named one by one, so that nothing is hit
// that the limits were not checked for.
type Order struct {
	Fault     release.FaultRecord
	Container string
	Duration  time.Duration // a dead man's switch: it ends by itself even when nobody reverts it
	Release   release.ID
}

// Pod is a pod as limits and recovery see it.
type Pod struct {
	Namespace  string
	Name       string
	UID        string
	Ready      bool
	ReadySince time.Time      // in whole seconds; zero when not ready
	Restarts   int            // of all containers
	Budgets    map[string]int // the PodDisruptionBudgets that cover it, and how many pods each lets go now
}

// ID is "namespace/name".
func (p Pod) ID() string { return p.Namespace + "/" + p.Name }

// Found is a fault of ours in a cluster.
type Found struct {
	Fault   release.FaultRecord
	Run     string
	Release release.ID
	Until   time.Time // when it should have ended; zero: it ends by itself
}

// SightState is what a fault's status amounts to.
type SightState int

// The states by the predicates of package chaos/mesh.
const (
	SightUnknown SightState = iota
	Starting                // not injected yet; nothing has gone wrong
	Injected
	NotInjected // an attempt to inject it went wrong
	NoTarget    // nothing matched; the controller never looks again
	Recovering  // it is being undone
	Recovered   // undone, by its duration; the object is still there
	Gone        // the object does not exist
	endOfSights
)

var sightNames = [...]string{"Unknown", "Starting", "Injected", "NotInjected", "NoTarget", "Recovering", "Recovered", "Gone"}

// String is the word people read.
func (s SightState) String() string {
	if s < 0 || s >= endOfSights {
		return sightNames[SightUnknown]
	}
	return sightNames[s]
}

// Sight is a fault as it was seen.
type Sight struct {
	State    SightState
	Message  string    // of the last failure
	Injected time.Time // when the last target was hit
	Targets  []string  // "namespace/pod", as the status names them
	Seen     bool      // the controller has written a status at all
}

// Force is how a revert is asked for.
type Force int

// From the usual way to the last resort.
const (
	ForceNone Force = iota
	Delete          // delete the object
	Entries         // and take its entries out of what would be applied again
	Annotate        // and tell the controller to drop its finalizer: leaves may remain
	endOfForces
)

var forceNames = [...]string{"None", "Delete", "Entries", "Annotate"}

// String is the word people read.
func (f Force) String() string {
	if f < 0 || f >= endOfForces {
		return forceNames[ForceNone]
	}
	return forceNames[f]
}

// How long a removal may take before more force is used, and before a person is called.
const (
	entriesAfter  = 5 * time.Second
	annotateAfter = 15 * time.Second
	stuckAfter    = 60 * time.Second
)

// Escalate is the force to use on a fault whose removal was first asked for so long ago.
func Escalate(since time.Duration) Force {
	switch {
	case since < entriesAfter:
		return Delete
	case since < annotateAfter:
		return Entries
	}
	return Annotate
}

// CannotInject says that a cluster cannot carry out a fault: the run is invalid, which is
// neither a pass nor a failure.
type CannotInject struct {
	Cluster string
	Cause   string
	Final   bool // trying again would not help
}

// Error is "cannot inject on staging: …".
func (c *CannotInject) Error() string {
	return fmt.Sprintf("cannot inject on %s: %s", c.Cluster, c.Cause)
}
