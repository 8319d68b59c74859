package autoscale

import (
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// What an autoscaler did, as Event.Result has it.
const (
	Scaled    = "Scaled"
	AtMaximum = "AtMaximum"
	Blocked   = "Blocked"
	Unmoved   = "Unmoved"
	Unwatched = "Unwatched" // nobody looks at it any more
)

// Tell is the event of an episode that has just become hot, or has just ended. Its ID follows
// from the episode, so that telling it twice is seen.
func Tell(e Episode, c Change, project string) release.Event {
	ev := release.Event{
		ID:   fmt.Sprintf("autoscaler/%s/%s/%s/%d/hot", e.Cluster, e.Namespace, e.Name, e.Since.Unix()),
		Kind: release.EventHot, At: e.Told, Service: e.Service, Env: e.Env, Project: project, About: e.Name + "@" + e.Cluster,
		Subject: fmt.Sprintf("%s: CPU at autoscaler %s on %s has been over %d %% of %s for %s: %d %% now", e.Service, e.Name, e.Cluster, e.Rule.Over, e.share(), brief(e.Told.Sub(e.Since)), e.Load.Percent),
		Reason:  fmt.Sprintf("HorizontalPodAutoscaler %s in namespace %s: %s", e.Name, e.Namespace, e.did()), Hint: e.next(), Result: e.result(),
	}
	if ev.Result == AtMaximum || ev.Result == Blocked {
		ev.Severity = "error" // it gets no better by itself
	}
	if c == Hot {
		return ev
	}
	ev.ID = strings.TrimSuffix(ev.ID, "hot") + "calm"
	ev.Kind, ev.At, ev.Hint, ev.Result, ev.Severity = release.EventCalm, e.Ended, "", Unwatched, ""
	lasted := e.Ended.Sub(e.Since)
	ev.Subject = fmt.Sprintf("%s: CPU at autoscaler %s on %s is not watched any more", e.Service, e.Name, e.Cluster)
	why := "it is gone, or its notices were turned off, while the CPU was high; "
	if c == Calm {
		lasted, why, ev.Result = e.Below.Sub(e.Since), "", ""
		ev.Subject = fmt.Sprintf("%s: CPU at autoscaler %s on %s has been no higher than %d %% of %s for %s: %d %% now", e.Service, e.Name, e.Cluster, e.Rule.Over, e.share(), brief(e.Ended.Sub(e.Below)), e.Load.Percent)
	}
	ev.Reason = fmt.Sprintf("HorizontalPodAutoscaler %s in namespace %s: %sthe CPU was high for %s, %d %% at most; %s", e.Name, e.Namespace, why, brief(lasted), e.Peak, e.did())
	return ev
}

// share says of what the percentages are.
func (e Episode) share() string {
	if e.Load.Of != "" {
		return "the request of container " + e.Load.Of
	}
	return "what its pods request"
}

func (e Episode) result() string {
	switch {
	case e.Blocked != "":
		return Blocked
	case e.AtMax:
		return AtMaximum
	case len(e.Steps) > 0:
		return Scaled
	}
	return Unmoved
}

// did is what the autoscaler did in the time of the episode.
func (e Episode) did() string {
	var parts []string
	for _, s := range e.Steps {
		who := ""
		if s.ByOthers {
			who = ", which was not the autoscaler"
		}
		parts = append(parts, fmt.Sprintf("replicas went from %d to %d at %s%s", s.From, s.To, s.At.UTC().Format("15:04:05 MST"), who))
	}
	if e.Left > 0 {
		parts = append(parts, fmt.Sprintf("%d more changes", e.Left))
	}
	if len(e.Steps) == 0 {
		parts = append(parts, fmt.Sprintf("it left the replicas at %d", e.Replicas))
	}
	switch {
	case e.Blocked != "":
		parts = append(parts, "it cannot scale: "+e.Blocked)
	case e.Hindered.Why != "":
		parts = append(parts, fmt.Sprintf("it could not scale at %s: %s", e.Hindered.At.UTC().Format("15:04:05 MST"), e.Hindered.Why))
	}
	if e.AtMax {
		parts = append(parts, fmt.Sprintf("it is at its maximum of %d", e.Max))
	}
	if e.Slow != "" {
		parts = append(parts, "it grows no faster: "+e.Slow)
	}
	if e.Load.Target > 0 {
		parts = append(parts, fmt.Sprintf("its target is %d %%", e.Load.Target))
	}
	return strings.Join(parts, "; ")
}

// next is what somebody can do about it.
func (e Episode) next() string {
	switch e.result() {
	case Blocked:
		return fmt.Sprintf("see why it cannot scale: kubectl -n %s describe hpa %s", e.Namespace, e.Name)
	case AtMaximum:
		return "raise maxReplicas, or find what uses the CPU"
	case Unmoved:
		if e.Load.Target >= e.Rule.Over {
			return fmt.Sprintf("it aims at %d %% itself: lower its target, or be told later with the annotation %s: %q", e.Load.Target, Annotation, fmt.Sprintf("%d%%/10m", e.Load.Target+10))
		}
	}
	return "see whether the new pods take load off the others, or find what uses the CPU"
}

var trimmed = strings.NewReplacer("h0m0s", "h", "m0s", "m")

// brief writes 5m rather than 5m0s.
func brief(d time.Duration) string { return trimmed.Replace(d.Round(time.Second).String()) }
