package release

import "time"

// Evidence is the replayable record of one check: what was claimed, what was asked,
// what came back and how it was judged.
type Evidence struct {
	Gate      string            `json:"gate"`              // "policy", "signature", "render", "health", "slo", "trial"
	Claim     string            `json:"claim"`             // a sentence: "availability of shop/web is at least 99 %"
	Holds     bool              `json:"holds"`             // whether the claim was found true
	Cluster   string            `json:"cluster,omitempty"` // the target it was observed on
	Revision  Commit            `json:"revision,omitempty"`
	From      time.Time         `json:"from,omitzero"`
	To        time.Time         `json:"to,omitzero"`
	Detail    string            `json:"detail,omitempty"`
	Measured  *float64          `json:"measured,omitempty"`
	Threshold *float64          `json:"threshold,omitempty"`
	Facts     map[string]string `json:"facts,omitempty"` // digests, key ids, policy names
	Queries   []Query           `json:"queries,omitempty"`
	Fault     *FaultRecord      `json:"fault,omitempty"`
}

// Query is one question to Prometheus with its full answer.
type Query struct {
	Name     string    `json:"name"` // "good", "bad", "total"
	Expr     string    `json:"expr"` // as sent, all placeholders filled in
	At       time.Time `json:"at"`
	Samples  []Sample  `json:"samples"`
	Warnings []string  `json:"warnings,omitempty"`
}

// Sample is one value of an answer.
type Sample struct {
	Labels map[string]string `json:"labels,omitempty"`
	Time   time.Time         `json:"time"`
	Value  float64           `json:"value"`
}

// FaultRecord says what was broken on purpose, where and when, and that it was put back.
type FaultRecord struct {
	Experiment string            `json:"experiment"`
	Kind       string            `json:"kind"`   // "PodChaos"
	Action     string            `json:"action"` // "pod-kill"
	Name       string            `json:"name"`   // of the object, unique per run
	Namespace  string            `json:"namespace"`
	Cluster    string            `json:"cluster"`
	Targets    []string          `json:"targets,omitempty"` // "namespace/pod"
	With       map[string]any    `json:"with,omitempty"`    // what the action was told
	Before     map[string]string `json:"before,omitempty"`  // what it changes, as it was before: what a revert goes back to
	Created    time.Time         `json:"created,omitzero"`
	Injected   time.Time         `json:"injected,omitzero"`
	Recovered  time.Time         `json:"recovered,omitzero"`
	Message    string            `json:"message,omitempty"`
}
