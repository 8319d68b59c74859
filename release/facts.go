package release

import "maps"

// Facts are what an action found out while it acted; zero fields say nothing new. An
// action returns them beside its verdict and never touches the release itself.
type Facts struct {
	Artifact  *Artifact
	Manifests map[Env]Digest // of the rendered content, per environment
	Waves     []Wave         // the current stage's plan
	Desired   Commit         // the current stage's commit on the desired-state branch
	Return    Commit         // the commit that returned the branch
	Targets   []Target       // of the current stage, matched by cluster
	Trial     *Trial
	Metrics   map[string][]float64 // of the current stage, by "metric@cluster"
}

// With is the release with the facts written into its current stage.
func (r Release) With(f Facts) Release {
	r = r.Clone()
	if f.Artifact != nil {
		r.Artifact = f.Artifact
	}
	for i := range r.Stages {
		if d, ok := f.Manifests[r.Stages[i].Env]; ok {
			r.Stages[i].Manifests = d
		}
	}
	if r.Stage >= len(r.Stages) {
		return r
	}
	s := &r.Stages[r.Stage]
	if f.Waves != nil {
		s.Waves = f.Waves
	}
	if f.Desired != "" {
		s.Desired = f.Desired
	}
	if f.Return != "" {
		s.Return = f.Return
	}
	if f.Trial != nil {
		s.Trial = f.Trial
	}
	if len(f.Metrics) > 0 {
		s.Metrics = maps.Clone(s.Metrics)
		if s.Metrics == nil {
			s.Metrics = map[string][]float64{}
		}
		maps.Copy(s.Metrics, f.Metrics)
	}
	for _, t := range f.Targets {
		s.setTarget(t)
	}
	return r
}

func (s *Stage) setTarget(t Target) {
	for i := range s.Waves {
		for j := range s.Waves[i].Targets {
			if s.Waves[i].Targets[j].Cluster == t.Cluster {
				s.Waves[i].Targets[j] = t
			}
		}
	}
}
