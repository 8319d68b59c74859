package release

import "time"

// EventKind says what happened.
type EventKind string

// What people and other systems are told about.
const (
	EventPhase      EventKind = "release.phase"    // every change of phase
	EventVerified   EventKind = "release.verified" // in one environment
	EventFailed     EventKind = "release.failed"
	EventRolledBack EventKind = "release.rolled-back"
	EventHeld       EventKind = "release.held" // a person is needed
	EventBreach     EventKind = "slo.breach"   // outside a release
	EventRecovered  EventKind = "slo.recovered"
	EventExperiment EventKind = "experiment.finished"
	EventUnsteady   EventKind = "experiment.failing"    // too many experiments on a service failed lately
	EventUnapproved EventKind = "experiment.unapproved" // a schedule would run one, and too few people have agreed
	EventSummary    EventKind = "experiment.summary"    // what a project's experiments of a week have shown
	EventDrift      EventKind = "drift.healed"
	EventCaughtUp   EventKind = "cluster.caught-up" // outside a release
	EventWithdrawn  EventKind = "cluster.withdrawn"
	EventAlert      EventKind = "alert.firing" // of Prometheus, through Alertmanager
	EventAlertEnded EventKind = "alert.resolved"
	EventHot        EventKind = "autoscaler.hot" // CPU at an autoscaler stays high
	EventCalm       EventKind = "autoscaler.calm"
)

// Event is one thing worth telling. Its ID is the same when it is told again.
type Event struct {
	ID      string    `json:"id"`
	Kind    EventKind `json:"kind"`
	At      time.Time `json:"at"`
	Service Service   `json:"service,omitempty"`
	Release ID        `json:"release,omitempty"`
	Project string    `json:"project,omitempty"`
	Repo    string    `json:"repo,omitempty"`
	Commit  Commit    `json:"commit,omitempty"`
	Pull    int       `json:"pull,omitempty"` // number of the pull request; 0: none
	Env     Env       `json:"env,omitempty"`
	Phase   Phase     `json:"phase,omitempty"`
	About   string    `json:"about,omitempty"`  // what of the service: an experiment, an SLO, a cluster
	Result  string    `json:"result,omitempty"` // of an experiment: "Passed", "Failed", "Invalid", "Aborted"; of an autoscaler: what it did
	Subject string    `json:"subject"`          // one line: "shop/web 3f2a91c07d0b verified in staging"
	Reason  string    `json:"reason,omitempty"`
	Hint    string    `json:"hint,omitempty"`

	Severity string `json:"severity,omitempty"` // critical, error, warning or info; empty: the kind says it

	Channels []string `json:"channels,omitempty"` // told instead of those of the routes; none: the routes say
}
