package release

import (
	"maps"
	"slices"
	"strings"
)

// Plan lists the waves of an environment. A cluster belongs to the first wave that
// matches it; the order is that of the environment, then of the partitions, then of the
// names. Waves without a cluster are left out.
func Plan(env Environment, clusters []Cluster) []Wave {
	clusters = slices.Clone(clusters)
	slices.SortFunc(clusters, func(a, b Cluster) int { return strings.Compare(a.Meta.Name, b.Meta.Name) })
	taken := map[string]bool{}
	var waves []Wave
	for _, spec := range env.Spec.Waves {
		parts := map[string][]Target{}
		for _, c := range clusters {
			if !taken[c.Meta.Name] && spec.Clusters.Matches(c.Meta.Labels) {
				taken[c.Meta.Name] = true
				name := partition(spec, c)
				parts[name] = append(parts[name], Target{Cluster: c.Meta.Name, State: "Pending"})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			waves = append(waves, Wave{Name: name, Pause: spec.PauseAfter, Targets: parts[name]})
		}
	}
	ring(env, waves)
	return waves
}

// ring marks the wave that the trial comes after, if another follows: of several parts
// of one wave the last.
func ring(env Environment, waves []Wave) {
	for i, w := range waves {
		name, _, _ := strings.Cut(w.Name, "/")
		if last := i+1 == len(waves); name != env.Spec.Trial.After || last {
			continue
		}
		if next, _, _ := strings.Cut(waves[i+1].Name, "/"); next != name {
			waves[i].Trial = true
		}
	}
}

// Selected are the clusters that any wave of an environment selects.
func Selected(env Environment, clusters []Cluster) map[string]bool {
	out := map[string]bool{}
	for _, w := range Plan(env, clusters) {
		for _, t := range w.Targets {
			out[t.Cluster] = true
		}
	}
	return out
}

// Within are the targets of a slot on clusters that its environment selects. A cluster that
// left keeps what it has, and is neither healed, watched nor tried any more.
func (s Slot) Within(env Environment, clusters []Cluster) map[string]Commit {
	selected := Selected(env, clusters)
	out := maps.Clone(s.Targets)
	maps.DeleteFunc(out, func(cluster string, _ Commit) bool { return !selected[cluster] })
	return out
}

// partition is the name of the wave that a cluster changes in: "rest", or "rest/eu" when
// the wave is partitioned by a label. Clusters without the label come first, in "rest".
func partition(spec WaveSpec, c Cluster) string {
	if value := c.Meta.Labels[spec.PartitionBy]; spec.PartitionBy != "" && value != "" {
		return spec.Name + "/" + value
	}
	return spec.Name
}

// WaveOf is what the environment says of a wave, or of the one that it is a partition of.
func WaveOf(env Environment, wave string) WaveSpec {
	name, _, _ := strings.Cut(wave, "/")
	for _, w := range env.Spec.Waves {
		if w.Name == name {
			return w
		}
	}
	return WaveSpec{}
}
