package deployer

import (
	"maps"
	"slices"

	"github.com/seatrial/seatrial/release"
)

// Left is the state of a target whose cluster no wave selects any more: what runs there
// stays, and is neither released to nor healed.
const Left = "Left"

const withdraw = "withdraw" // of an environment's onUnmatch

// move is what a target lacks to be as its environment wants it.
type move struct {
	cluster string
	to      release.Commit // empty: the service is withdrawn from it
	back    bool           // it is on its way to something else, and is put back
}

// moves compares the targets of a service with the clusters that its environment selects
// now. A cluster that joined, or was away, gets what is verified there; one that is not
// selected any more is left, or withdrawn from. Nothing moves while a release is under
// way, or held, or before one was verified. What a release has left between two shifts is
// put back first, whatever else holds.
func moves(env release.Environment, clusters []release.Cluster, s release.Slot) []move {
	var out []move
	for _, c := range s.Undo {
		out = append(out, move{cluster: c, to: s.Targets[c], back: true})
	}
	if s.Occupant != "" || s.Hold != nil || s.Current == nil || s.Current.Desired == "" {
		return out
	}
	selected := release.Selected(env, clusters)
	for _, c := range slices.Sorted(maps.Keys(selected)) {
		if s.Targets[c] != s.Current.Desired && !slices.Contains(s.Undo, c) {
			out = append(out, move{cluster: c, to: s.Current.Desired})
		}
	}
	if env.Spec.OnUnmatch != withdraw {
		return out
	}
	for _, c := range slices.Sorted(maps.Keys(s.Targets)) {
		known := slices.ContainsFunc(clusters, func(k release.Cluster) bool { return k.Meta.Name == c })
		if known && !selected[c] {
			out = append(out, move{cluster: c})
		}
	}
	return out
}
