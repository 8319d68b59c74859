package drift

import "time"

// ObjectQuestion is which object of a tree is asked about.
type ObjectQuestion struct {
	Spot
	Group     string `query:"group" maxLength:"253" doc:"Left out: the core group" example:"apps"`
	Kind      string `query:"kind" required:"true" maxLength:"63" example:"Deployment"`
	Namespace string `query:"namespace" maxLength:"63" doc:"Left out: the object is in none" example:"shop"`
	Name      string `query:"name" required:"true" maxLength:"253" example:"web"`
}

// Object is what explains the state of an object of a tree. It has nothing of what is in a
// Secret or a ConfigMap, and nothing of a spec.
type Object struct {
	Phase      string            `json:"phase,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Message    string            `json:"message,omitempty"`
	Deleting   *time.Time        `json:"deleting,omitempty" doc:"Since when it is to go"`
	Finalizers []string          `json:"finalizers,omitempty" doc:"What its deletion waits for"`
	Conditions []ObjectCondition `json:"conditions"`
	Containers []ObjectContainer `json:"containers,omitempty" doc:"Of a pod, in the order in which they start"`
	Events     []ObjectEvent     `json:"events" doc:"Newest first"`
	Left       int               `json:"left" doc:"How many older events are left out"`
	Problem    string            `json:"problem,omitempty" doc:"Why something is not known"`
	Hint       string            `json:"hint,omitempty"`
}

// ObjectCondition is one of its status.
type ObjectCondition struct {
	Type    string     `json:"type"`
	Status  string     `json:"status"`
	Reason  string     `json:"reason,omitempty"`
	Message string     `json:"message,omitempty"`
	Since   *time.Time `json:"since,omitempty"`
}

// ObjectContainer is how a container is.
type ObjectContainer struct {
	Role     string        `json:"role" enum:"init,sidecar,main,ephemeral"`
	Name     string        `json:"name"`
	State    string        `json:"state,omitempty" doc:"Waiting, Running or Terminated; left out: nothing is known yet"`
	Reason   string        `json:"reason,omitempty"`
	Message  string        `json:"message,omitempty"`
	Exit     *int32        `json:"exit,omitempty" doc:"Of one that has ended"`
	Since    *time.Time    `json:"since,omitempty"`
	Ready    bool          `json:"ready"`
	Restarts int32         `json:"restarts"`
	Last     *ObjectEnding `json:"last,omitempty" doc:"How the run before ended"`
}

// ObjectEnding is how a run of a container ended.
type ObjectEnding struct {
	Exit    int32      `json:"exit"`
	Signal  int32      `json:"signal,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	Message string     `json:"message,omitempty"`
	At      *time.Time `json:"at,omitempty"`
}

// ObjectEvent is something that Kubernetes told of it.
type ObjectEvent struct {
	Type    string     `json:"type" doc:"Normal or Warning"`
	Reason  string     `json:"reason"`
	Message string     `json:"message,omitempty"`
	From    string     `json:"from,omitempty" doc:"Who told it" example:"kubelet"`
	Count   int32      `json:"count"`
	First   *time.Time `json:"first,omitempty"`
	Last    *time.Time `json:"last,omitempty"`
}
