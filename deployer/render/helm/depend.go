package helm

import (
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2"
	depsutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/seatrial/seatrial/internal/hint"
)

// vendored demands that every chart the chart depends on lies in its charts folder, in the
// version that Chart.lock names when there is one. One from an OCI registry has to be
// locked: its tag may move.
func vendored(dir string, chart *v2.Chart) error {
	next := "run: helm dependency build " + dir + ", and commit charts/ and Chart.lock"
	if chart.Metadata.Type == "library" {
		return hint.Add(fmt.Errorf("chart %s is a library: there is nothing in it to deploy", dir), "point spec.deploy.manifests at a chart that uses it")
	}
	for _, d := range chart.Metadata.Dependencies {
		have := versions(chart, d.Name)
		locked := lockedAt(chart, d.Name)
		switch {
		case strings.HasPrefix(d.Repository, "oci://") && locked == "":
			return hint.Add(fmt.Errorf("chart %s depends on %s from %s, which no Chart.lock pins", dir, d.Name, d.Repository), next)
		case len(have) == 0:
			return hint.Add(fmt.Errorf("chart %s depends on %s, which is not in its charts folder", dir, d.Name), next)
		case !slices.ContainsFunc(have, func(v string) bool { return depsutil.IsCompatibleRange(d.Version, v) }):
			return hint.Add(fmt.Errorf("chart %s depends on %s %s, and its charts folder has %s", dir, d.Name, d.Version, strings.Join(have, ", ")), next)
		case locked != "" && !slices.Contains(have, locked):
			return hint.Add(fmt.Errorf("chart %s: Chart.lock has %s %s, and its charts folder has %s", dir, d.Name, locked, strings.Join(have, ", ")), next)
		}
	}
	return nil
}

func versions(chart *v2.Chart, name string) (found []string) {
	for _, d := range chart.Dependencies() {
		if d.Name() == name {
			found = append(found, d.Metadata.Version)
		}
	}
	return found
}

func lockedAt(chart *v2.Chart, name string) string {
	if chart.Lock == nil {
		return ""
	}
	for _, d := range chart.Lock.Dependencies {
		if d.Name == name {
			return d.Version
		}
	}
	return ""
}
