package chaos

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/release"
)

// describe keeps the pods as they were before the fault, so that recovery can be told from
// a status that says so.
func describe(pods, targets []Pod, f release.Fault) release.Evidence {
	facts := map[string]string{}
	ready := 0
	for _, p := range pods {
		if p.Ready {
			ready++
		}
		facts["pod."+p.ID()] = fmt.Sprintf("%s %d %t", p.UID, p.Restarts, p.Ready)
	}
	return release.Evidence{
		Claim: fmt.Sprintf("%d of %d pods are ready and %d of them may be hit", ready, len(pods), len(targets)),
		Holds: true, Detail: fmt.Sprintf("%s %s in namespace %s", f.Kind, f.Action, f.Namespace), Facts: facts,
	}
}

// before reads what describe wrote.
func before(all []release.Evidence) []Pod {
	var pods []Pod
	for _, ev := range evidence.About(all, evidence.Targets) {
		for key, value := range ev.Facts {
			id, ok := strings.CutPrefix(key, "pod.")
			fields := strings.Fields(value)
			if !ok || len(fields) != 3 {
				continue
			}
			p := Pod{UID: fields[0], Ready: fields[2] == "true"}
			p.Namespace, p.Name, _ = strings.Cut(id, "/")
			p.Restarts, _ = strconv.Atoi(fields[1])
			pods = append(pods, p)
		}
	}
	slices.SortFunc(pods, func(a, b Pod) int { return strings.Compare(a.ID(), b.ID()) })
	return pods
}

// Recovery is what the pods say after a fault.
type Recovery struct {
	Hit    bool      // every target shows that it was hit: it is another pod now, or restarted
	Whole  bool      // hit, and as many pods are ready as before
	At     time.Time // since when, when Whole
	Reason string
}

// Restored compares the pods before a fault with the pods now. An autoscaler, or a person,
// may want fewer by now: then these are enough. That none are wanted is no recovery.
func Restored(before, now []Pod, f *release.FaultRecord, wantedNow int) Recovery {
	ready, wanted := 0, 0
	var at time.Time
	for _, p := range now {
		if p.Ready {
			ready++
			at = later(at, p.ReadySince)
		}
	}
	for _, p := range before {
		if p.Ready {
			wanted++
		}
	}
	for _, id := range f.Targets {
		was, ok := byID(before, podOf(id))
		if !ok {
			continue
		}
		is, there := byID(now, was.ID())
		switch {
		case f.Kind != "PodChaos", !there || is.UID != was.UID: // no other kind has to replace or restart a pod
		case f.Action == "pod-kill":
			return Recovery{Reason: fmt.Sprintf("pod %s was not killed: it is still the same one", was.ID())}
		case is.Restarts <= was.Restarts:
			return Recovery{Reason: fmt.Sprintf("pod %s was not hit: it never restarted", was.ID())}
		}
	}
	if wantedNow > 0 && wantedNow < wanted && ready >= wantedNow {
		return Recovery{Hit: true, Whole: true, At: at, Reason: fmt.Sprintf("%d pods are ready, as many as are wanted now; there were %d", ready, wanted)}
	}
	if ready < wanted {
		return Recovery{Hit: true, Reason: fmt.Sprintf("%d pods are ready, there were %d", ready, wanted)}
	}
	return Recovery{Hit: true, Whole: true, At: at, Reason: fmt.Sprintf("%d pods are ready, as before", ready)}
}

// podOf is "namespace/pod" of a record's id, which may name a container as well.
func podOf(id string) string {
	parts := strings.SplitN(id, "/", 3)
	if len(parts) < 2 {
		return id
	}
	return parts[0] + "/" + parts[1]
}

func byID(pods []Pod, id string) (Pod, bool) {
	for _, p := range pods {
		if p.ID() == id {
			return p, true
		}
	}
	return Pod{}, false
}
