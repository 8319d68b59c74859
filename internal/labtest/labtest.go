// Package labtest lets the tests of a part find the lab that is up: its clusters, registry,
// Prometheus and command line.
//
// Start at Open. It never boots a lab and never takes one down.
package labtest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/kube"
)

// Lab is what `lab env` prints, as far as tests need it.
type Lab struct {
	Clusters   []Cluster
	Registry   string // "198.18.0.1:5000"
	BuildKit   string
	Prometheus string
}

// Cluster is one of the lab's.
type Cluster struct {
	Name       string
	Labels     map[string]string
	Kubeconfig string // a file
}

// limit bounds one command: booting a cluster is the longest.
const limit = 10 * time.Minute

// Program is the lab's command line, as make builds it in the checkout.
func Program(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return filepath.Join(dir, "bin", "lab")
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("there is no go.mod above the test: %v", err)
	return ""
}

// Command runs the lab's command line, also in a cleanup, and returns what it printed.
func Command(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, Program(t), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lab %s: %v: %s (make lab builds it, bin/lab up starts it)", strings.Join(args, " "), err, problems.String())
	}
	return string(out)
}

// Open says where everything is.
func Open(t testing.TB) (l Lab) {
	t.Helper()
	if err := json.Unmarshal([]byte(Command(t, "", "env")), &l); err != nil {
		t.Fatalf("read lab env: %v", err)
	}
	return l
}

// Credentials is a folder with the kubeconfigs of the named clusters, as the server has one.
func (l Lab) Credentials(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		i := slices.IndexFunc(l.Clusters, func(c Cluster) bool { return c.Name == name })
		if i < 0 {
			t.Fatalf("the lab has no cluster %s", name)
		}
		data, err := os.ReadFile(l.Clusters[i].Kubeconfig)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".kubeconfig"), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Kube opens clusters by their real kubeconfigs.
func (l Lab) Kube(t testing.TB, names ...string) *kube.Clusters {
	t.Helper()
	kube.Quiet()
	return kube.Open(l.Credentials(t, names...))
}

// Names are those of all clusters.
func (l Lab) Names() (names []string) {
	for _, c := range l.Clusters {
		names = append(names, c.Name)
	}
	return names
}

// Image is one of the lab's registry by its digest: nothing else is deployed.
func (l Lab) Image(t testing.TB, repo, tag string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+l.Registry+"/v2/"+repo+"/manifests/"+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	digest := res.Header.Get("Docker-Content-Digest")
	if res.StatusCode != http.StatusOK || digest == "" {
		t.Fatalf("the lab's registry answers %s for %s:%s", res.Status, repo, tag)
	}
	return l.Registry + "/" + repo + "@" + digest
}
