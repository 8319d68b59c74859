package charts_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seatrial/seatrial/deployer/render/charts"
	"github.com/seatrial/seatrial/deployer/render/source"
)

const (
	redis = "{name: redis, version: ^20, repository: 'oci://registry.example/charts'}"
	lock  = "dependencies:\n- {name: redis, version: 20.1.5, repository: 'oci://registry.example/charts'}\n"
)

// chart is the chart web in deploy/, with dependencies and other files.
func chart(dependencies string, more ...string) fstest.MapFS {
	m := fstest.MapFS{"deploy/Chart.yaml": {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [" + dependencies + "]\n")}}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = &fstest.MapFile{Data: []byte(more[i+1])}
	}
	return m
}

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  []string // what is asked for
	}{
		{"what is locked and not committed is fetched, in the lock's version", chart(redis, "deploy/Chart.lock", lock), []string{"registry.example/charts/redis:20.1.5"}},
		{"beside what is committed", chart(redis+", {name: store, version: 1.0.0, repository: 'oci://x'}", "deploy/Chart.lock", lock, "deploy/charts/store/Chart.yaml", "x"), []string{"registry.example/charts/redis:20.1.5"}},
		{"two aliases are one chart", chart(redis+", {name: redis, alias: cache, version: ^20, repository: 'oci://registry.example/charts'}", "deploy/Chart.lock", lock), []string{"registry.example/charts/redis:20.1.5"}},
		{"nothing that is committed as a folder", chart(redis, "deploy/Chart.lock", lock, "deploy/charts/redis/Chart.yaml", "x"), nil},
		{"nothing that is committed packed, whatever its version", chart(redis, "deploy/Chart.lock", lock, "deploy/charts/redis-19.0.0.tgz", "x"), nil},
		{"nothing that no lock pins", chart(redis), nil},
		{"nothing that the lock does not name", chart(redis, "deploy/Chart.lock", "dependencies: []\n"), nil},
		{"nothing from a web address", chart("{name: redis, version: ^20, repository: 'https://charts.example'}", "deploy/Chart.lock", lock), nil},
		{"no path for a name", chart("{name: ../redis, version: ^20, repository: 'oci://registry.example/charts'}", "deploy/Chart.lock", strings.Replace(lock, "redis", "../redis", 1)), nil},
		{"no path for a version", chart(redis, "deploy/Chart.lock", strings.Replace(lock, "20.1.5", "20/../../x", 1)), nil},
		{"nothing for a chart that cannot be read", fstest.MapFS{"deploy/Chart.yaml": {Data: []byte("[")}, "deploy/Chart.lock": {Data: []byte(lock)}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			files, notes, err := charts.Complete(t.Context(), c.files, "deploy", func(_ context.Context, d charts.Dependency) (charts.Archive, error) {
				asked = append(asked, d.String())
				return charts.Archive{Content: []byte("packed"), Digest: "sha256:abc"}, nil
			})
			if err != nil || !slices.Equal(asked, c.want) || len(notes) != len(c.want) {
				t.Fatalf("asked for %q, notes %q, %v", asked, notes, err)
			}
			if len(c.want) == 0 {
				return
			}
			if got, err := fs.ReadFile(files, "deploy/charts/redis-20.1.5.tgz"); string(got) != "packed" || !strings.Contains(notes[0], "sha256:abc") {
				t.Errorf("%q, %v, %q", got, err, notes)
			}
			if _, there := c.files["deploy/charts/redis-20.1.5.tgz"]; there {
				t.Error("the repository was changed")
			}
		})
	}
	var many, locked []string
	for i := range 33 {
		many = append(many, fmt.Sprintf("{name: c%d, version: 1.0.0, repository: 'oci://registry.example'}", i))
		locked = append(locked, fmt.Sprintf("- {name: c%d, version: 1.0.0}\n", i))
	}
	_, _, err := charts.Complete(t.Context(), chart(strings.Join(many, ", "), "deploy/Chart.lock", "dependencies:\n"+strings.Join(locked, "")), "deploy", nil)
	if !errors.Is(err, charts.ErrUnfit) || !strings.Contains(err.Error(), "at most 32") {
		t.Errorf("33 charts: %v", err)
	}
}

func TestTheCompletedTreeIsWalkedLikeAnyOther(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"a new folder":           chart(redis, "deploy/Chart.lock", lock, "deploy/a.yaml", "a"),
		"a folder that is there": chart(redis, "deploy/Chart.lock", lock, "deploy/a.yaml", "a", "deploy/charts/store/Chart.yaml", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			want := []string{"deploy/charts/redis-20.1.5.tgz"}
			for n := range files {
				want = append(want, n)
			}
			slices.Sort(want)
			files["deploy/link"] = &fstest.MapFile{Data: []byte("gone"), Mode: fs.ModeSymlink | 0o777}
			all, _, err := charts.Complete(t.Context(), files, "deploy", func(context.Context, charts.Dependency) (charts.Archive, error) {
				return charts.Archive{Content: []byte("packed")}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			tree := source.New(all, source.Limits{Files: 100, Bytes: 1 << 20})
			if _, err := tree.Stat("deploy/link"); err == nil || !strings.Contains(err.Error(), "link to nothing") {
				t.Errorf("a link that was there: %v", err)
			}
			delete(files, "deploy/link")
			var got []string
			if err := source.Walk(tree, "deploy", nil, func(n string) error { got = append(got, n); return nil }); err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
