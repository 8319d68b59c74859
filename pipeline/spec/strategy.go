package spec

import (
	"fmt"
	"time"

	"github.com/seatrial/seatrial/release"
)

const (
	maxSteps   = 20
	maxObserve = 24 * time.Hour
)

// strategy checks the words of a strategy; whether the manifests fit it is seen once they
// are rendered.
func (c *checker) strategy(s release.Strategy) {
	at := func(path ...any) []any { return append([]any{"spec", "deploy", "strategy"}, path...) }
	c.OneOf("strategy", s.Type, []string{release.Rolling, release.BlueGreen, release.Canary, release.Partition}, at("type")...)
	for field, name := range map[string]string{"deployment": s.Deployment, "statefulSet": s.StatefulSet, "service": s.Service, "route": s.Route} {
		if name != "" && !release.ValidName(name) {
			c.Add(fmt.Sprintf("%q: want lower-case letters, digits and dashes, at most 63", name), at(field)...)
		}
	}
	if s.Type == release.Rolling && (s.Deployment != "" || s.Service != "" || s.Observe != 0) {
		c.Add("a rolling strategy has nothing but its type", at()...)
	}
	if s.Type != release.Canary && s.Route != "" {
		c.Add("only a canary has a route", at("route")...)
	}
	if s.Type != release.Partition && s.StatefulSet != "" {
		c.Add("only a partition is of a StatefulSet", at("statefulSet")...)
	}
	if s.Type == release.Partition && (s.Deployment != "" || s.Service != "") {
		c.Add("a partition has one set of pods: no deployment and no service", at()...)
	}
	c.observe(s.Observe, at("observe")...)
	c.steps(s, at)
}

func (c *checker) steps(s release.Strategy, at func(...any) []any) {
	if s.Type != release.Canary && s.Type != release.Partition {
		if len(s.Steps) > 0 {
			c.Add("only a canary and a partition have steps", at("steps")...)
		}
		return
	}
	if len(s.Steps) == 0 {
		c.Add(fmt.Sprintf("a %s wants at least one step: {weight: 10, observe: 30s}", s.Type), at()...)
	}
	c.AtMost(maxSteps, len(s.Steps), at("steps")...)
	before := 0
	for i, step := range s.Steps {
		switch {
		case step.Weight < 1 || step.Weight > 99:
			c.Add(fmt.Sprintf("want 1 to 99, got %d: after the last step it is everywhere by itself", step.Weight), at("steps", i, "weight")...)
		case step.Weight <= before:
			c.Add(fmt.Sprintf("want more than the %d before it", before), at("steps", i, "weight")...)
		}
		before = max(before, step.Weight)
		c.observe(step.Observe, at("steps", i, "observe")...)
	}
}

func (c *checker) observe(d release.Duration, at ...any) {
	if d.Std() > maxObserve {
		c.Add(fmt.Sprintf("want at most %v, got %v", maxObserve, d.Std()), at...)
	}
}
