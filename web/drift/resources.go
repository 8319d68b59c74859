package drift

import (
	"time"

	"github.com/seatrial/seatrial/release"
)

// Spot is a service on one cluster of an environment.
type Spot struct {
	Service release.Service `query:"service" required:"true" maxLength:"127" example:"shop/web"`
	Env     release.Env     `query:"env" required:"true" maxLength:"63" example:"prod"`
	Cluster string          `query:"cluster" required:"true" maxLength:"63" example:"prod-main"`
}

// Tree is what a service has on a cluster, and what that owns.
type Tree struct {
	Cluster  string         `json:"cluster"`
	Revision release.Commit `json:"revision" doc:"What the cluster is compared with"`
	Items    []Resource     `json:"items" doc:"Each below the last one before it of a smaller depth"`
	Left     int            `json:"left" doc:"How many objects are left out, because there are too many"`
	Problem  string         `json:"problem,omitempty" doc:"Why nothing is known: the cluster could not be asked"`
	Hint     string         `json:"hint,omitempty"`
}

// Resource is one object.
type Resource struct {
	Depth     int        `json:"depth" doc:"0: the service's own; else what another one owns"`
	Group     string     `json:"group,omitempty"`
	Kind      string     `json:"kind"`
	Namespace string     `json:"namespace,omitempty"`
	Name      string     `json:"name"`
	State     string     `json:"state,omitempty" enum:"Synced,Drifted,Missing,Prune,Waiting" doc:"Prune: it goes with the next sync; Waiting: it stays until a person approves; left out for what others made"`
	Health    string     `json:"health,omitempty" doc:"Left out: nobody has an opinion"`
	Message   string     `json:"message,omitempty"`
	Created   *time.Time `json:"created,omitempty"`
}
