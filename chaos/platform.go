package chaos

import "github.com/seatrial/seatrial/release"

// Platform is what the platform repo says, as far as it matters here.
type Platform struct {
	Clusters     map[string]release.Cluster
	Environments []release.Environment
	Projects     map[string]release.Project
	Experiments  map[string]release.Experiment
}
