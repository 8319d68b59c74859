package chaos

import (
	"maps"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// Aim points an experiment that fits any service at one: its placeholders become the
// service's team and name, a namespace that was left out the project's first.
func Aim(x release.Experiment, service release.Service, namespaces []string) release.Experiment {
	f := &x.Spec.Fault
	if f.Namespace == "" && len(namespaces) > 0 {
		f.Namespace = namespaces[0]
	}
	fill := strings.NewReplacer("{{.Team}}", service.Team(), "{{.Name}}", service.Name())
	f.Selector.MatchLabels = maps.Clone(f.Selector.MatchLabels)
	for key, value := range f.Selector.MatchLabels {
		f.Selector.MatchLabels[key] = fill.Replace(value)
	}
	return x
}
