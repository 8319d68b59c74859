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
	return waves
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
