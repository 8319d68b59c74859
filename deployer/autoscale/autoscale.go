// Package autoscale tells a service's team when the CPU at one of its HorizontalPodAutoscalers
// stays high, and what the autoscaler did about it.
//
// Start at Next, which is pure; Watch does the rest. It never changes an autoscaler or what
// it scales, and never takes a number that is missing or stale for a low one.
package autoscale

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// Annotation on an autoscaler says when its team hears of it: "90%", "90%/10m" or "off".
const Annotation = "seatrial.dev/cpu-notice"

// Rule says how high the CPU has to be for how long.
type Rule struct {
	Over int           `json:"over"` // percent of what the pods request; may be above 100
	For  time.Duration `json:"for"`  // a number of ns
	Off  bool          `json:"off,omitempty"`
}

// Usual is the rule of an autoscaler that names none.
func Usual() Rule { return Rule{Over: 85, For: 5 * time.Minute} }

// What a rule may say.
const (
	maxOver  = 10000
	leastFor = time.Minute
	mostFor  = 24 * time.Hour
)

var noticeForm = regexp.MustCompile(`^([0-9]{1,5})%(?:/([0-9hms]{1,20}))?$`)

// ParseRule reads the annotation; what it leaves out is as in usual.
func ParseRule(text string, usual Rule) (Rule, error) {
	r := usual
	switch text {
	case "":
		return r, nil
	case "off":
		r.Off = true
		return r, nil
	}
	wrong := fmt.Errorf("annotation %s: %q: want a share of the requested CPU from 1%% to %d%%, and a time from 1m to 24h, like 90%%/10m, or off", Annotation, text, maxOver)
	parts := noticeForm.FindStringSubmatch(text)
	if parts == nil {
		return usual, wrong
	}
	r.Over, _ = strconv.Atoi(parts[1]) // digits
	if parts[2] != "" {
		d, err := time.ParseDuration(parts[2])
		if err != nil || d < leastFor || d > mostFor {
			return usual, wrong
		}
		r.For = d
	}
	if r.Over < 1 || r.Over > maxOver {
		return usual, wrong
	}
	return r, nil
}

// Sight is what one look at an autoscaler has shown.
type Sight struct {
	At       time.Time
	Load     Load
	Replicas int // that it wants
	Max      int
	AtMax    bool
	Slow     string    // why it may not grow as fast as it wants; empty: it may
	Blocked  string    // why it cannot scale; empty: it can
	Scaled   time.Time // when it changed the replicas at last, by its cluster's clock
	Before   int       // replicas that it saw last, before it changed them
}

// Load is the CPU of the pods, all of them on average.
type Load struct {
	Known   bool   `json:"known"`
	Percent int    `json:"percent"`          // of the request
	Of      string `json:"of,omitempty"`     // the container, where one is measured by itself
	Target  int    `json:"target,omitempty"` // what the autoscaler aims at
}

// Look reads the status of an autoscaler.
func Look(h autoscalingv2.HorizontalPodAutoscaler, now time.Time) Sight {
	s := Sight{At: now, Before: int(h.Status.CurrentReplicas), Max: int(h.Spec.MaxReplicas)}
	s.Replicas = cmp.Or(int(h.Status.DesiredReplicas), s.Before) // 0 wanted: it has decided nothing yet
	if t := h.Status.LastScaleTime; t != nil {
		s.Scaled = t.UTC()
	}
	s.AtMax = s.Max > 0 && s.Replicas >= s.Max
	stale := false // a controller that cannot ask leaves the numbers of before
	for _, c := range h.Status.Conditions {
		no, yes := c.Status == corev1.ConditionFalse, c.Status == corev1.ConditionTrue
		switch {
		case c.Type == autoscalingv2.AbleToScale && no:
			s.Blocked, stale = said(c), stale || c.Reason != "FailedUpdateScale"
		case c.Type == autoscalingv2.ScalingActive && no:
			s.Blocked, stale = said(c), true
		case c.Type == autoscalingv2.ScalingLimited && yes && c.Reason == "TooManyReplicas":
			s.AtMax = true
		case c.Type == autoscalingv2.ScalingLimited && yes && c.Reason == "ScaleUpLimit":
			s.Slow = said(c)
		}
	}
	if !stale {
		s.Load = load(h)
	}
	return s
}

// maxSaid bounds what a controller's message takes in the store.
const maxSaid = 300

func said(c autoscalingv2.HorizontalPodAutoscalerCondition) string {
	text := c.Message
	if text == "" {
		text = c.Reason
	}
	if runes := []rune(text); len(runes) > maxSaid {
		text = string(runes[:maxSaid]) + "…"
	}
	return text
}

// load is the highest CPU that is measured in percent; an absolute value says nothing of
// how much that is.
func load(h autoscalingv2.HorizontalPodAutoscaler) (l Load) {
	for _, m := range h.Status.CurrentMetrics {
		var value *int32
		of := ""
		switch {
		case m.Resource != nil && m.Resource.Name == corev1.ResourceCPU:
			value = m.Resource.Current.AverageUtilization
		case m.ContainerResource != nil && m.ContainerResource.Name == corev1.ResourceCPU:
			value, of = m.ContainerResource.Current.AverageUtilization, m.ContainerResource.Container
		}
		if value != nil && *value >= 0 && (!l.Known || int(*value) > l.Percent) {
			l = Load{Known: true, Percent: int(*value), Of: of, Target: target(h.Spec.Metrics, of)}
		}
	}
	return l
}

func target(specs []autoscalingv2.MetricSpec, of string) int {
	for _, m := range specs {
		var t autoscalingv2.MetricTarget
		switch {
		case m.Resource != nil && of == "" && m.Resource.Name == corev1.ResourceCPU:
			t = m.Resource.Target
		case m.ContainerResource != nil && m.ContainerResource.Container == of && m.ContainerResource.Name == corev1.ResourceCPU:
			t = m.ContainerResource.Target
		}
		if t.AverageUtilization != nil {
			return int(*t.AverageUtilization)
		}
	}
	return 0
}
