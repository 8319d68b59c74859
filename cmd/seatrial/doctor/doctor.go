// Package doctor asks everything the server needs whether it is well, and says what to do
// where it is not.
//
// Start at Examine. It never changes anything but a probe file in the state folder.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seatrial/seatrial/builder/buildkitd"
	"github.com/seatrial/seatrial/builder/daemons"
	"github.com/seatrial/seatrial/cmd/seatrial/agents"
	"github.com/seatrial/seatrial/cmd/seatrial/rendering"
	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/cmd/seatrial/world"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// Health is one line of the doctor's report.
type Health struct {
	What   string `json:"what"`
	State  string `json:"state"` // "OK", "WARN" or "FAIL"
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// examination is one question of the doctor. Its answer says more when all is well.
type examination struct {
	what string
	ask  func(ctx context.Context) (string, error)
}

// warning is an error that does not stop the server.
type warning struct{ error }

// Examine reads the settings and asks every part; bad counts the failures.
func Examine(ctx context.Context, file string) (report []Health, bad int) {
	return examine(ctx, examinations(file))
}

func examine(ctx context.Context, list []examination) (report []Health, bad int) {
	for _, e := range list {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		detail, err := e.ask(ctx)
		cancel()
		h := Health{What: e.what, State: "OK", Detail: detail}
		if err != nil {
			h.State, h.Detail, h.Remedy = "FAIL", err.Error(), hint.Of(err)
			if _, mild := errors.AsType[warning](err); mild {
				h.State = "WARN"
			} else {
				bad++
			}
		}
		report = append(report, h)
	}
	return report, bad
}

// examinations depend on settings that can be read; otherwise that is the only trouble.
func examinations(file string) []examination {
	s, err := settings.Read(file)
	list := []examination{{"settings", func(context.Context) (string, error) { return file, err }}}
	if err != nil {
		return list
	}
	d := doctor{s}
	list = append(list,
		examination{"secrets", d.secrets},
		examination{"state folder", d.disk},
		examination{"signing key", d.key},
		examination{"forge", d.forge},
		examination{"platform repo", d.platform},
		examination{"registry", d.registry},
		examination{"retention", d.retention},
		examination{"buildkitd", d.buildkit},
		examination{"rendering", isolation},
		examination{"Prometheus", d.prometheus},
	)
	return append(list, d.clusters()...)
}

type doctor struct{ settings settings.Settings }

func (d doctor) secrets(context.Context) (string, error) {
	_, err := settings.ReadSecrets()
	return "webhook secret and passphrase are set", err
}

// slowSync is the time of one synced write beyond which every step of a release drags.
const slowSync = 20 * time.Millisecond

func (d doctor) disk(context.Context) (string, error) {
	if err := os.MkdirAll(d.settings.State, 0o700); err != nil {
		return "", fmt.Errorf("make %s: %w", d.settings.State, err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.settings.State, &fs); err != nil {
		return "", fmt.Errorf("look at %s: %w", d.settings.State, err)
	}
	const nfs, smb2, cifs = 0x6969, 0xfe534d42, 0xff534d42
	if t := uint32(fs.Type); t == nfs || t == smb2 || t == cifs {
		return "", hint.Add(fmt.Errorf("%s is on a network file system", d.settings.State), "the store needs a local disk: its locks and syncs do not hold over a network")
	}
	took, err := syncedWrite(filepath.Join(d.settings.State, ".doctor"))
	if err != nil {
		return "", err
	}
	free := fs.Bavail * uint64(fs.Bsize) >> 30
	detail := fmt.Sprintf("%d GiB free, a synced write takes %s", free, took.Round(10*time.Microsecond))
	if took > slowSync || free < 2 {
		return detail, hint.Add(warning{errors.New(detail)}, "a faster or larger disk for the state folder")
	}
	return detail, nil
}

func syncedWrite(file string) (time.Duration, error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, fmt.Errorf("write to the state folder: %w", err)
	}
	defer os.Remove(file)
	defer f.Close()
	began := time.Now()
	for range 5 {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / 5, nil
}

func (d doctor) key(ctx context.Context) (string, error) {
	var missing []string
	for _, source := range d.settings.KeySources() {
		if _, err := os.Stat(source.File); source.File != "" && err != nil {
			missing = append(missing, filepath.Base(source.File))
		}
	}
	if len(missing) > 0 {
		return strings.Join(missing, ", ") + " will be made at the first start", nil
	}
	ring, err := d.settings.OpenKeys(ctx, settings.Env("SEATRIAL_SIGNING_PASSPHRASE"))
	if err != nil {
		return "", err
	}
	var out []string
	for _, k := range ring.Public() {
		line := k.ID
		if k.Window != (signing.Window{}) {
			line += " counts " + k.Window.String()
		}
		out = append(out, line)
	}
	return strings.Join(out, ", "), nil
}

// get asks an address and takes any answer below 500 for a sign of life.
func get(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	if res.StatusCode >= 500 {
		return res, fmt.Errorf("%s answers %s", url, res.Status)
	}
	return res, nil
}

// maxSkew is how far our clock may be from the forge's.
const maxSkew = 30 * time.Second

func (d doctor) forge(ctx context.Context) (string, error) {
	res, err := get(ctx, d.settings.Forge.URL)
	if err != nil {
		return "", hint.Add(err, "check forge.url and that the forge runs")
	}
	at, err := http.ParseTime(res.Header.Get("Date"))
	if skew := time.Since(at).Abs(); err == nil && skew > maxSkew {
		return "", hint.Add(warning{fmt.Errorf("our clock and the forge's are %s apart", skew.Round(time.Second))}, "run a time service on both")
	}
	return d.settings.Forge.URL, nil
}

func (d doctor) platform(ctx context.Context) (string, error) {
	repos, err := d.settings.Repos(settings.Env("SEATRIAL_FORGE_TOKEN"), nil, nil)
	if err != nil {
		return "", err
	}
	w := d.world(repos)
	if err := w.Load(ctx); err != nil {
		return "", err
	}
	tree := w.Now()
	detail := fmt.Sprintf("%s at %s: %d environments, %d projects", d.settings.Platform.Repo, tree.Commit.Short(), len(tree.Environments), len(tree.Projects))
	return detail, unset(tree.Secrets(), settings.Named)
}

// unset warns of secrets that the platform repo refers to and nobody has set.
func unset(names []string, value func(string) secret.Text) error {
	var missing []string
	for _, name := range names {
		if value(name) == "" {
			missing = append(missing, platform.SecretVariable(name))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return hint.Add(warning{errors.New("the platform repo refers to secrets without a value")}, "set "+strings.Join(missing, ", "))
}

func (d doctor) registry(ctx context.Context) (string, error) {
	scheme := "https://"
	if d.settings.Registry.PlainHTTP {
		scheme = "http://"
	}
	if _, err := get(ctx, scheme+d.settings.Registry.Host+"/v2/"); err != nil {
		return "", hint.Add(err, "check registry.host, and registry.plainHTTP for one without TLS")
	}
	return d.settings.Registry.Host, nil
}

// noSuch is a digest that nothing has: asking for its delete shows whether one is allowed.
const noSuch release.Digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func (d doctor) retention(ctx context.Context) (string, error) {
	rule := d.settings.Retention
	if !rule.On() {
		return "off: nothing is deleted from the registry", nil
	}
	registry, err := oci.New(oci.Config{Hosts: []oci.Host{d.settings.RegistryHost(settings.Env("SEATRIAL_REGISTRY_PASSWORD"))}})
	if err != nil {
		return "", err
	}
	if err := registry.Delete(ctx, d.settings.Registry.Host+"/seatrial/doctor", noSuch); err != nil {
		return "", hint.Add(warning{err}, hint.Of(err))
	}
	return fmt.Sprintf("keeps the newest %d images of a service, and whatever an environment runs or may return to", rule.Keep), nil
}

// isolation starts a child as the server would.
func isolation(ctx context.Context) (string, error) {
	self, err := rendering.Self()
	if err != nil {
		return "", err
	}
	r := render.New(render.Config{Exec: self})
	defer r.Close()
	detail, err := r.Isolation(ctx)
	if detail != "" && err != nil {
		return detail, hint.Add(warning{err}, hint.Of(err))
	}
	return detail, err
}

func (d doctor) buildkit(ctx context.Context) (string, error) {
	if len(d.settings.BuildKit.Addresses) == 0 {
		program, err := buildkitd.Check(ctx, d.settings.BuildKit.Program)
		return "the server runs " + program, err
	}
	var all []string
	for _, address := range d.settings.BuildKit.Addresses {
		version, err := daemons.Ping(ctx, address)
		if err != nil {
			return "", err
		}
		all = append(all, version)
	}
	return strings.Join(all, ", "), nil
}

func (d doctor) prometheus(ctx context.Context) (string, error) {
	p, err := d.settings.OpenPrometheus()
	if err != nil {
		return "", err
	}
	return d.settings.Prometheus.URL, p.Ready(ctx)
}

// clusters are those with credentials in the folder, and those with an agent.
func (d doctor) clusters() []examination {
	dir := d.settings.Clusters.Credentials
	all := kube.Open(dir).Told(d.access(), settings.Ours()...)
	var list []examination
	for _, ending := range []string{".kubeconfig", ".token"} {
		files, _ := filepath.Glob(filepath.Join(dir, "*"+ending)) // the pattern is a good one
		for _, f := range files {
			name := strings.TrimSuffix(filepath.Base(f), ending)
			list = append(list, examination{"cluster " + name, func(ctx context.Context) (string, error) {
				c, err := all.Get(name)
				if err != nil {
					return "", err
				}
				return "answers", c.Ready(ctx)
			}})
		}
	}
	for _, name := range agents.Names(d.settings) {
		list = append(list, examination{"agent " + name, func(context.Context) (string, error) { return agents.Check(d.settings, name) }})
	}
	if len(list) == 0 {
		return []examination{{"clusters", func(context.Context) (string, error) {
			return "", hint.Add(fmt.Errorf("no <name>.kubeconfig and no <name>.token in %s, and no agent", dir), "put one there for every cluster of the platform repo: seatrial cluster add")
		}}}
	}
	return list
}

// access is what the platform repo says of a cluster; without the repo, nothing.
func (d doctor) access() func(string) kube.Entry {
	tree := sync.OnceValue(func() *world.World {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		repos, err := d.settings.Repos(settings.Env("SEATRIAL_FORGE_TOKEN"), nil, nil)
		if err != nil {
			return nil
		}
		w := d.world(repos)
		if w.Load(ctx) != nil {
			return nil // the examination of the platform repo says why
		}
		return w
	})
	return func(name string) kube.Entry {
		if w := tree(); w != nil {
			return w.Access(name)
		}
		return kube.Entry{}
	}
}

func (d doctor) world(repos *git.Repos) *world.World {
	return world.New(repos, d.settings.RepoURL(d.settings.Platform.Repo), d.settings.Platform.Branch, os.DevNull, slog.New(slog.DiscardHandler))
}
