// Package hub runs what all clusters share: the registry, BuildKit, the forge,
// Prometheus and the load generator, in one machine on the host's network.
//
// Start at Hub.Up. It never listens anywhere but on loopback and 198.18.0.1.
package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/machine"
)

// Components are the programs of the hub in the order in which they start.
var components = []string{"registry", "buildkitd", "gitea", "prometheus", "load"}

// Components returns the names of the hub's programs.
func Components() []string { return slices.Clone(components) }

// Grace is how long a program may take to end before it is killed.
const Grace = 5 * time.Second

// Bins says where the programs lie.
type Bins struct {
	Registry, Buildkit, Runc, Gitea, Prometheus string
	GiteaShare                                  string
	Cache                                       string // all of them are below it
}

// Hub is the machine of the shared services, running or not.
type Hub struct {
	Machine *machine.Machine

	root layout.Root
	bins Bins
}

// New returns the hub below root.
func New(root layout.Root, bins Bins) *Hub {
	// The whole root: Prometheus and the load generator read the clusters' files.
	name := "lab-hub"
	if root != layout.DefaultRoot {
		sum := sha256.Sum256([]byte(root))
		name += "-" + hex.EncodeToString(sum[:3])
	}
	m := machine.New(machine.Spec{Name: name, Dir: root.Hub(), Hostname: "lab-hub", Binds: []string{string(root), bins.Cache}})
	return &Hub{Machine: m, root: root, bins: bins}
}

// Up starts the named programs, all if none is named, and returns when they answer.
func (h *Hub) Up(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		names = components
	}
	if err := h.prepare(ctx); err != nil {
		return fmt.Errorf("start hub: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		g.Go(func() error { return h.Start(ctx, name) })
	}
	return g.Wait()
}

func (h *Hub) prepare(ctx context.Context) error {
	if err := os.MkdirAll(h.root.Hub(), 0o755); err != nil {
		return err
	}
	// Pods reach shared services at this address; loopback carries it because
	// not every kernel has dummy devices.
	if out, err := exec.CommandContext(ctx, "ip", "addr", "replace", layout.SharedIP+"/32", "dev", "lo").CombinedOutput(); err != nil {
		return fmt.Errorf("add address %s: %w: %s", layout.SharedIP, err, strings.TrimSpace(string(out)))
	}
	_, err := h.Machine.Up(ctx)
	return err
}

// copySelf puts this program where the hub can run it: the file it was started
// from may be rebuilt or removed while the lab is up.
func (h *Hub) copySelf() error {
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	tmp := h.self() + ".new"
	// A machine that is forked meanwhile would hold the file open for writing for a
	// moment, and starting it would fail with "text file busy".
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(tmp, b, 0o755); err != nil {
		return err
	}
	return os.Rename(tmp, h.self())
}

func (h *Hub) self() string { return filepath.Join(h.root.Hub(), "lab") }

// ErrNoComponent is for a name that no program of the hub has.
var ErrNoComponent = errors.New("no such component")

// Start starts one program and waits until it answers.
func (h *Hub) Start(ctx context.Context, name string) error {
	p, err := h.program(name)
	if err != nil {
		return err
	}
	switch name {
	case "registry":
		err = os.MkdirAll(filepath.Join(h.root.Hub(), "registry"), 0o755)
	case "buildkitd":
		err = h.write("buildkitd.toml", buildkitConfig(h.Machine.Name))
	case "gitea":
		err = h.prepareForge()
	case "prometheus":
		err = h.preparePrometheus()
	case "load":
		err = h.copySelf()
	}
	if err != nil {
		return fmt.Errorf("prepare %s: %w", name, err)
	}
	if err := h.Machine.Start(ctx, p); err != nil {
		return err
	}
	if err := h.Machine.WaitReady(ctx, name, 5*time.Minute, h.check(name)); err != nil {
		return err
	}
	if name == "gitea" {
		return h.setUpForge(ctx)
	}
	return nil
}

// Stop stops one program; with grace zero it is killed.
func (h *Hub) Stop(ctx context.Context, name string, grace time.Duration) error {
	if _, err := h.program(name); err != nil {
		return err
	}
	return h.Machine.Stop(ctx, name, grace)
}

func (h *Hub) program(name string) (machine.Program, error) {
	dir := h.root.Hub()
	p := machine.Program{Name: name, Dir: dir}
	switch name {
	case "registry":
		p.Argv = []string{filepath.Join(h.bins.Registry, "registry"), "-addr", layout.Registry, "-dir", filepath.Join(dir, "registry")}
	case "buildkitd":
		// A compiler in a build step must not starve the clusters beside it.
		p.Argv = []string{
			"nice", "-n", "10", filepath.Join(h.bins.Buildkit, "buildkitd"), "--config", filepath.Join(dir, "buildkitd.toml"),
			"--root", filepath.Join(dir, "buildkit"), "--addr", "unix://" + h.root.BuildkitSocket(),
		}
		p.Env = []string{"PATH=" + h.bins.Buildkit + ":" + h.bins.Runc + ":/usr/sbin:/usr/bin:/sbin:/bin"}
	case "gitea":
		p.Argv = []string{filepath.Join(h.bins.Gitea, "gitea"), "--config", h.forge("app.ini"), "--work-path", h.forge(""), "web"}
		p.Env, p.UID, p.Dir = h.forgeEnv(), forgeUID, h.forge("")
	case "prometheus":
		p.Argv = []string{
			filepath.Join(h.bins.Prometheus, "prometheus"), "--config.file=" + filepath.Join(dir, "prometheus.json"),
			"--storage.tsdb.path=" + filepath.Join(dir, "tsdb"), "--storage.tsdb.retention.time=24h", "--storage.tsdb.retention.size=2GB",
			"--web.listen-address=" + layout.PrometheusAddr, "--web.enable-lifecycle", "--log.level=warn",
		}
		p.Env = []string{"GOGC=50"}
	case "load":
		p.Argv = []string{h.self(), "_load", "--root", string(h.root), "--listen", layout.LoadAddr}
	default:
		return p, fmt.Errorf("%w: %q in the hub", ErrNoComponent, name)
	}
	return p, nil
}

func (h *Hub) check(name string) func(context.Context) error {
	switch name {
	case "registry":
		return func(ctx context.Context) error { return get(ctx, "http://"+layout.Registry+"/v2/") }
	case "buildkitd":
		return func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, filepath.Join(h.bins.Buildkit, "buildctl"), "--addr", "unix://"+h.root.BuildkitSocket(), "debug", "workers")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("list workers: %w: %s", err, strings.TrimSpace(string(out)))
			}
			return nil
		}
	case "gitea":
		return func(ctx context.Context) error { return get(ctx, "http://"+layout.ForgeAddr+"/api/v1/version") }
	case "prometheus":
		return func(ctx context.Context) error { return get(ctx, "http://"+layout.PrometheusAddr+"/-/ready") }
	default:
		return func(ctx context.Context) error { return get(ctx, "http://"+layout.LoadAddr+"/metrics") }
	}
}

func (h *Hub) write(name, text string) error {
	return os.WriteFile(filepath.Join(h.root.Hub(), name), []byte(text), 0o644)
}

// Down removes the hub and everything of it.
func (h *Hub) Down(ctx context.Context) error {
	if err := h.Machine.Down(ctx); err != nil {
		return err
	}
	live, err := machine.Live()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(live, func(s machine.Spec) bool { return strings.HasPrefix(s.Name, "lab-hub") }) {
		return nil // a lab with another root has the address now
	}
	out, err := exec.CommandContext(ctx, "ip", "addr", "del", layout.SharedIP+"/32", "dev", "lo").CombinedOutput()
	if err != nil && !strings.Contains(string(out), "Cannot assign") && !strings.Contains(string(out), "not found") {
		return fmt.Errorf("remove address %s: %w: %s", layout.SharedIP, err, strings.TrimSpace(string(out)))
	}
	return nil
}

var httpClient = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// buildkitConfig lets Dockerfiles keep their usual names: what they ask of the
// big registries comes from the lab's.
func buildkitConfig(cgroup string) string {
	return fmt.Sprintf(`[worker.oci]
  enabled = true
  snapshotter = "overlayfs"
  defaultCgroupParent = "/%[2]s"
  max-parallelism = 4
  gc = true
  reservedSpace = "1GB"
  maxUsedSpace = "12GB"
  minFreeSpace = "5GB"

[worker.containerd]
  enabled = false

# Frontends from images would be fetched from outside.
[frontend."gateway.v0"]
  enabled = false

[registry.%[1]q]
  http = true

[registry."docker.io"]
  mirrors = [%[1]q]

[registry."gcr.io"]
  mirrors = [%[1]q]
`, layout.Registry, cgroup)
}
