package registries_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/cmd/seatrial/registries"
	"github.com/seatrial/seatrial/deployer/render/charts"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
)

func TestCharts(t *testing.T) {
	server := ocitest.New(t, true)
	reg := server.Registry(t)
	const packed = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	if err := reg.AddDocument(t.Context(), oci.Ref{Repository: server.Host + "/charts/redis", Tag: "20.1.5_x"}, packed, []byte("a chart"), nil); err != nil {
		t.Fatal(err)
	}
	server.Push(t, "charts/image", "1.0.0", "linux/amd64")
	ask := func(folder, name, version string, p release.Project) (charts.Archive, error) {
		may := registries.Of(p, "own.example:5000")
		return registries.Charts(reg, may)(t.Context(), charts.Dependency{Name: name, Version: version, Repository: "oci://" + server.Host + folder})
	}
	listed := release.Project{Spec: release.ProjectSpec{Charts: []string{server.Host + "/charts"}}}
	if a, err := ask("/charts", "redis", "20.1.5+x", listed); err != nil || string(a.Content) != "a chart" || !a.Digest.Valid() {
		t.Errorf("%q %s %v", a.Content, a.Digest, err)
	}
	if _, err := ask("/charts", "redis", "20.1.5+x", release.Project{Spec: release.ProjectSpec{Registries: []release.RegistryLogin{{Host: server.Host}}}}); err != nil {
		t.Errorf("a registry that the project logs in to: %v", err)
	}
	for name, c := range map[string]struct {
		folder, chart, version, want string
		project                      release.Project
	}{
		"a folder that nobody listed":        {"/charts", "redis", "20.1.5+x", "may not take charts from", release.Project{}},
		"a folder beside one that is listed": {"/charts-of-others", "redis", "20.1.5+x", "may not take charts from", listed},
		"a version that is not there":        {"/charts", "redis", "1.0.0", "not found", listed},
		"an image":                           {"/charts", "image", "1.0.0", "", listed},
	} {
		_, err := ask(c.folder, c.chart, c.version, c.project)
		if !errors.Is(err, charts.ErrUnfit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(c.want, "may") && hint.Of(err) == "" {
			t.Errorf("%s: no next step", name)
		}
	}
	server.Fail(func(*http.Request) int { return http.StatusServiceUnavailable })
	if _, err := ask("/charts", "redis", "20.1.5+x", listed); err == nil || errors.Is(err, charts.ErrUnfit) {
		t.Errorf("a registry that is away: %v", err)
	}
}
