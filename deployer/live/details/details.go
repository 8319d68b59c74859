// Package details says what explains the state of one object on a cluster: its conditions,
// a pod's containers, and its events.
//
// Start at Of, which is pure; Read asks a cluster. It never shows what a Secret or a ConfigMap
// holds, nor an environment variable or anything else of a spec, and never answers for an
// object that is not in the tree of a service.
package details

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// How much is shown of one object.
const (
	MaxEvents     = 50
	MaxConditions = 30
	MaxContainers = 50
	MaxFinalizers = 10
	MaxText       = 1024 // bytes of one message
)

// Ref names an object in the tree of a service.
type Ref struct {
	Group, Kind, Namespace, Name string
}

// Details is what explains the state of an object.
type Details struct {
	Missing                bool // the tree has no such object; all else is empty
	Phase, Reason, Message string
	Deleting               time.Time // since when it is to go; zero: it is not
	Finalizers             []string  // what a deletion waits for
	Conditions             []Condition
	Containers             []Container // of a pod
	Events                 []Event     // newest first
	Left                   int         // older events that are left out
	Problem, Hint          string      // why there are no events, or not all
}

// Condition is one of an object's status.
type Condition struct {
	Type, Status, Reason, Message string
	Since                         time.Time
}

// Role is what a container is for.
type Role string

// The roles.
const (
	Init      Role = "init"
	Sidecar   Role = "sidecar" // an init container that goes on
	Main      Role = "main"
	Ephemeral Role = "ephemeral"
)

// Container is how one of a pod's containers is.
type Container struct {
	Role                         Role
	Name, State, Reason, Message string // State: "Waiting", "Running", "Terminated"; "": nothing is known yet
	Exit                         *int32 // of one that has ended
	Since                        time.Time
	Ready                        bool
	Restarts                     int32
	Last                         *Ending // of the run before
}

// Ending is how a run of a container ended.
type Ending struct {
	Exit, Signal    int32
	Reason, Message string
	At              time.Time
}

// Event is something that Kubernetes told of an object, perhaps more than once.
type Event struct {
	Type, Reason, Message, From string
	Count                       int32
	First, Last                 time.Time
}

// Of reads an object and its events.
func Of(o *unstructured.Unstructured, events []corev1.Event) Details {
	var d Details
	if at := o.GetDeletionTimestamp(); at != nil {
		d.Deleting = at.Time
		for _, f := range first(o.GetFinalizers(), MaxFinalizers) {
			d.Finalizers = append(d.Finalizers, cut(f))
		}
	}
	if !secretive(o) {
		status, _, _ := unstructured.NestedMap(o.Object, "status")
		d.Phase, d.Reason, d.Message = text(status, "phase"), text(status, "reason"), text(status, "message")
		d.Conditions = conditions(status)
		if o.GetKind() == "Pod" && o.GetAPIVersion() == "v1" {
			d.Containers = containers(o)
		}
	}
	for _, e := range events {
		d.Events = append(d.Events, eventOf(e))
	}
	slices.SortStableFunc(d.Events, func(a, b Event) int { return b.Last.Compare(a.Last) })
	d.Left = max(0, len(d.Events)-MaxEvents)
	d.Events = first(d.Events, MaxEvents)
	return d
}

// secretive kinds have no state, only content.
func secretive(o *unstructured.Unstructured) bool {
	return o.GetAPIVersion() == "v1" && (o.GetKind() == "Secret" || o.GetKind() == "ConfigMap")
}

func conditions(status map[string]any) (out []Condition) {
	all, _ := status["conditions"].([]any)
	for _, one := range first(all, MaxConditions) {
		c, _ := one.(map[string]any)
		if text(c, "type") == "" {
			continue
		}
		since, _ := time.Parse(time.RFC3339, text(c, "lastTransitionTime")) // left out by some, which is no mistake
		out = append(out, Condition{Type: text(c, "type"), Status: text(c, "status"), Reason: text(c, "reason"), Message: text(c, "message"), Since: since})
	}
	return out
}

// eventOf reads both ways in which events are counted: count with lastTimestamp, and series.
func eventOf(e corev1.Event) Event {
	out := Event{Type: cut(e.Type), Reason: cut(e.Reason), Message: cut(e.Message), From: cut(cmp.Or(e.ReportingController, e.Source.Component)),
		Count: max(1, e.Count), First: e.FirstTimestamp.Time, Last: e.LastTimestamp.Time}
	if e.Series != nil {
		out.Count = max(out.Count, e.Series.Count)
		out.Last = latest(out.Last, e.Series.LastObservedTime.Time)
	}
	if out.First.IsZero() {
		out.First = e.EventTime.Time
	}
	out.Last = latest(out.Last, e.EventTime.Time)
	if out.Last.IsZero() {
		out.Last = latest(out.First, e.CreationTimestamp.Time)
	}
	if out.First.IsZero() {
		out.First = out.Last
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func first[T any](all []T, n int) []T { return all[:min(len(all), n)] }

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return cut(s)
}

// cut bounds a text that others wrote, between two letters.
func cut(s string) string {
	if len(s) > 4*MaxText {
		s = s[:4*MaxText]
	}
	s = strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= MaxText {
		return s
	}
	end := MaxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
