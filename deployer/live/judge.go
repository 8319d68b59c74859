package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/live/options"
	"github.com/seatrial/seatrial/deployer/live/pods"
)

// degradedAfter is how long an object may look degraded after a sync before that counts:
// a controller may still show what it thought of the revision before.
const degradedAfter = 5 * time.Second

// Pair is an object as wanted and as it is; Live is nil when it is missing.
type Pair struct {
	Want *unstructured.Unstructured
	Live *unstructured.Unstructured
	Pods []pods.State // of the wanted revision only

	Loose bool // its content is not ours to compare
}

// Judge decides the health of one service on one cluster: pure, from what was seen.
// checks know what the engine does not. since is when the sync ended. The worst object
// speaks for all of them.
func Judge(pairs []Pair, checks health.HealthOverride, since, now time.Time, cfg Config) Result {
	cfg = cfg.orDefault()
	var progressing, degraded []string
	stale := false
	hint := ""
	for _, p := range pairs {
		if p.Live == nil || !p.Loose && p.Live.GetAnnotations()[ContentAnnotation] != p.Want.GetAnnotations()[ContentAnnotation] {
			progressing = append(progressing, missing(p))
			stale = true
			continue
		}
		if options.Unjudged(p.Want) {
			continue
		}
		if why, next := doomed(p, now, cfg); why != "" {
			degraded = append(degraded, why)
			hint = next
			continue
		}
		switch status, message := healthOf(p.Live, checks); {
		case status == health.HealthStatusDegraded && now.Sub(since) >= degradedAfter, status == health.HealthStatusUnknown && now.Sub(since) >= degradedAfter:
			degraded = append(degraded, nameOf(p.Want)+": "+message)
		case status != "" && status != health.HealthStatusHealthy:
			progressing = append(progressing, nameOf(p.Want)+": "+message+starting(p.Pods))
		default:
			if why := unsteady(p.Pods, now, cfg); why != "" {
				progressing = append(progressing, nameOf(p.Want)+": "+why)
			}
		}
	}
	switch {
	case len(degraded) > 0:
		if hint == "" {
			hint = "look at the object's events with kubectl describe"
		}
		return Result{State: Degraded, Message: brief(degraded), Hint: hint}
	case len(progressing) > 0:
		return Result{State: Progressing, Message: brief(progressing), Stale: stale}
	}
	return Result{State: Healthy, Message: fmt.Sprintf("%d objects healthy", len(pairs))}
}

func missing(p Pair) string {
	if p.Live == nil {
		return nameOf(p.Want) + " is not there"
	}
	return nameOf(p.Want) + " carries other content"
}

// healthOf is the engine's opinion; "" when it has none for the kind. An opinion on an
// older generation is no opinion.
func healthOf(live *unstructured.Unstructured, checks health.HealthOverride) (health.HealthStatusCode, string) {
	observed, found, err := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
	if err == nil && found && observed < live.GetGeneration() {
		return health.HealthStatusProgressing, "its controller has not seen the change yet"
	}
	h, err := opinionOf(live, checks)
	switch {
	case err != nil:
		return health.HealthStatusUnknown, "its status cannot be read"
	case h == nil, h.Status == health.HealthStatusSuspended && live.GetKind() == "CronJob":
		return "", ""
	case h.Message == "" && h.Status != health.HealthStatusHealthy:
		return h.Status, strings.ToLower(string(h.Status))
	}
	return h.Status, strings.TrimSuffix(h.Message, "...")
}

// opinionOf asks the checks, then the engine. A check that cannot tell is no reason to roll
// back at once.
func opinionOf(live *unstructured.Unstructured, checks health.HealthOverride) (*health.HealthStatus, error) {
	if live.GetDeletionTimestamp() == nil {
		switch h, err := checks.GetResourceHealth(live); {
		case err != nil:
			return &health.HealthStatus{Status: health.HealthStatusProgressing, Message: err.Error()}, nil
		case h != nil:
			return h, nil
		}
	}
	return health.GetResourceHealth(live, nil)
}

// doomed says why a workload will not come up, without waiting for its own deadline.
func doomed(p Pair, now time.Time, cfg Config) (why, next string) {
	for _, pod := range p.Pods {
		t := pod.Trouble
		if t == nil {
			continue
		}
		wait := cfg.PullAfter
		if t.Crash {
			wait = cfg.CrashAfter
		}
		if now.Sub(t.Since) < wait {
			continue
		}
		why = fmt.Sprintf("%s: pod %s: container %s: %s", nameOf(p.Want), pod.Name, t.Container, t.Reason)
		if t.Crash {
			why += fmt.Sprintf(", exit code %d", t.Exit)
			next = fmt.Sprintf("see why it ends: kubectl logs -n %s %s -c %s --previous", pod.Namespace, pod.Name, t.Container)
		} else {
			next = fmt.Sprintf("see why it cannot start: kubectl describe pod -n %s %s", pod.Namespace, pod.Name)
		}
		if t.Message != "" {
			why += ": " + firstLine(t.Message)
		}
		return why, next
	}
	return "", ""
}

// unsteady says why pods that look ready are not believed yet.
func unsteady(all []pods.State, now time.Time, cfg Config) string {
	for _, p := range all {
		switch {
		case !p.Crashed.IsZero() && now.Sub(p.Crashed) < 2*cfg.CrashAfter:
			return fmt.Sprintf("pod %s has just crashed and was started again", p.Name)
		case now.Sub(p.Unproved) < cfg.Steady:
			return fmt.Sprintf("pod %s has no readiness probe and runs for less than %s", p.Name, cfg.Steady)
		}
	}
	return ""
}

// starting adds what the pods themselves say, for a rollout that goes on.
func starting(all []pods.State) string {
	for _, p := range all {
		if p.Trouble != nil {
			return fmt.Sprintf(" (pod %s: %s)", p.Name, p.Trouble.Reason)
		}
	}
	return ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(line); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return line
}

func brief(all []string) string {
	if len(all) > 3 {
		return strings.Join(all[:3], "; ") + fmt.Sprintf("; and %d more", len(all)-3)
	}
	return strings.Join(all, "; ")
}

// currentPods are those that the wanted revision of a workload made. Pods of an older
// revision may be in trouble: that is why there is a new one.
func currentPods(live *unstructured.Unstructured, sets []replicas, all []pods.State) []pods.State {
	if live == nil {
		return nil
	}
	owners, hash := map[types.UID]bool{}, ""
	switch live.GetKind() {
	case "Deployment":
		observed, _, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
		if observed < live.GetGeneration() {
			return nil
		}
		for _, s := range sets {
			if s.owner == live.GetUID() && s.revision != "" && s.revision == live.GetAnnotations()[revisionAnnotation] {
				owners[s.uid] = true
			}
		}
	case "StatefulSet":
		hash, _, _ = unstructured.NestedString(live.Object, "status", "updateRevision")
		owners[live.GetUID()] = true
	case "DaemonSet", "Job", "ReplicaSet":
		owners[live.GetUID()] = true
	}
	var out []pods.State
	for _, p := range all {
		if owners[p.Owner] && (hash == "" || p.Hash == hash) {
			out = append(out, p)
		}
	}
	return out
}
