package platform

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/release"
)

func (c *checker) experiment(v *release.Experiment) {
	s := &v.Spec
	c.name(v.Meta.Name, "metadata", "name")
	if s.Service != "" {
		if _, err := release.ParseService(string(s.Service)); err != nil {
			c.Add(err.Error(), "spec", "service")
		}
	}
	c.fault(&s.Fault)
	c.limits(&s.Limits)
	c.withinLimits(s.Fault, s.Limits)
	setDefault(&s.Observe, seconds(60))
	c.duration(s.Observe, "spec", "observe")
	if s.Schedule != nil {
		c.schedule(*s)
	}
}

func (c *checker) fault(f *release.Fault) {
	kind, action := c.act(f)
	setDefault(&f.Mode, "one")
	c.OneOf("mode", f.Mode, []string{"one", "all", "fixed", "fixed-percent"}, "spec", "fault", "mode")
	switch f.Mode {
	case "fixed":
		c.value(f.Value, count, "a number of pods")
	case "fixed-percent":
		c.value(strings.TrimSuffix(f.Value, "%"), regexp.MustCompile(`^([1-9][0-9]?|100)$`), "a percentage from 1 to 100")
	default:
		if f.Value != "" {
			c.Add("has a meaning for the modes fixed and fixed-percent only", "spec", "fault", "value")
		}
	}
	c.selector(f.Selector, "spec", "fault", "selector")
	if f.Namespace != "" {
		c.name(f.Namespace, "spec", "fault", "namespace")
	}
	if protected(f.Namespace) {
		c.Add(fmt.Sprintf("namespace %s is protected: nothing is broken there", f.Namespace), "spec", "fault", "namespace")
	}
	switch {
	case action.NeedsContainer && f.Container == "":
		c.Add(f.Action+" wants the name of a container", "spec", "fault", "container")
	case !kind.Container && f.Container != "":
		c.Add("has no meaning for "+f.Kind, "spec", "fault", "container")
	}
	if f.Duration <= 0 {
		c.Add("want a duration above zero: it ends the fault when nobody else can", "spec", "fault", "duration")
	}
}

// act finds what a fault does, and checks what it is told.
func (c *checker) act(f *release.Fault) (faults.Kind, faults.Action) {
	kind, known := faults.Find(f.Kind)
	switch {
	case !known:
		c.OneOf("kind of fault", f.Kind, faults.Names(), "spec", "fault", "kind")
		return kind, faults.Action{}
	case kind.Refused != "":
		c.Add(f.Kind+" is not supported: "+kind.Refused, "spec", "fault", "kind")
		return kind, faults.Action{}
	}
	action, known := kind.Action(f.Action)
	if !known {
		c.OneOf("action of "+f.Kind, f.Action, kind.ActionNames(), "spec", "fault", "action")
		return kind, action
	}
	for _, m := range action.Mistakes(f.With) {
		path := []any{"spec", "fault", "with"}
		if m.Field != "" {
			path = append(path, m.Field)
		}
		c.Add(m.Message, path...)
	}
	return kind, action
}

func (c *checker) value(s string, re *regexp.Regexp, want string) {
	if !re.MatchString(s) {
		c.Add(fmt.Sprintf("%q: want %s", s, want), "spec", "fault", "value")
	}
}

// protected namespaces keep a cluster, or us, alive.
func protected(namespace string) bool {
	switch namespace {
	case "kube-system", "kube-public", "kube-node-lease", "chaos-mesh", "seatrial":
		return true
	}
	return false
}

func (c *checker) limits(l *release.Limits) {
	for what, n := range map[string]int{"maxTargets": l.MaxTargets, "maxPercent": l.MaxPercent, "minReady": l.MinReady} {
		c.atLeast(0, n, "spec", "limits", what)
	}
	if l.MaxPercent > 100 {
		c.Add(fmt.Sprintf("want at most 100, got %d", l.MaxPercent), "spec", "limits", "maxPercent")
	}
	c.duration(l.MaxDuration, "spec", "limits", "maxDuration")
	setDefault(&l.MaxTargets, 1)
	setDefault(&l.MaxPercent, 50)
	setDefault(&l.MaxDuration, seconds(5*60))
	setDefault(&l.MinReady, 2)
}

// withinLimits refuses a fault that its own limits would never let through.
func (c *checker) withinLimits(f release.Fault, l release.Limits) {
	if f.Duration > l.MaxDuration {
		c.Add(fmt.Sprintf("%v is longer than limits.maxDuration, %v", f.Duration.Std(), l.MaxDuration.Std()), "spec", "fault", "duration")
	}
	n, err := strconv.Atoi(strings.TrimSuffix(f.Value, "%"))
	switch {
	case err != nil:
	case f.Mode == "fixed" && n > l.MaxTargets:
		c.Add(fmt.Sprintf("%d is more than limits.maxTargets, %d", n, l.MaxTargets), "spec", "fault", "value")
	case f.Mode == "fixed-percent" && n > l.MaxPercent:
		c.Add(fmt.Sprintf("%d is more than limits.maxPercent, %d", n, l.MaxPercent), "spec", "fault", "value")
	}
}

func (c *checker) schedule(s release.ExperimentSpec) {
	c.cron(s.Schedule)
	c.zone(s.Schedule.TimeZone, "spec", "schedule", "timeZone")
	c.atLeast(1, len(s.Schedule.Environments), "spec", "schedule", "environments")
	if s.Service == "" {
		c.Add("a scheduled experiment has no release on trial: it wants spec.service", "spec", "schedule")
	}
}
