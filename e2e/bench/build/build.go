// Package build measures how long it takes to prove that a commit has not changed, and
// what a build of ours costs beside the solve, against buildctl on the same files.
//
// Start at Run. It uses the lab's registry and buildkitd and the parts as the server
// wires them, with git and its state on a local disk. It never starts a server.
package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/figure"
)

// Config says where everything is.
type Config struct {
	Bin      string // folder of the binaries seatrial and lab
	Buildctl string // the raw tool; empty: the one that the lab has built
	Rivals   bool   // compare with syft, cosign and ko as well, which the lab then compiles
	Dir      string // of what is kept while measuring
	Runs     int
	Profile  string // file for a CPU profile of the proofs; empty: none
}

const (
	wantProof    = 25  // ms
	wantOverhead = 200 // ms
)

// lab is what the bench needs of "lab env".
type lab struct {
	Registry string `json:"registry"`
	BuildKit string `json:"buildkit"`
}

// Run measures each case, alternating between the two sides.
func Run(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	none := figure.Report{}
	out, err := exec.CommandContext(ctx, filepath.Join(c.Bin, "lab"), "env").Output()
	if err != nil {
		return none, fmt.Errorf("lab env: %w (bin/lab up starts the lab)", err)
	}
	var l lab
	if err := errors.Join(json.Unmarshal(out, &l), os.MkdirAll(c.Dir, 0o700)); err != nil {
		return none, err
	}
	if c.Buildctl == "" {
		if c.Buildctl, err = labTool("buildctl"); err != nil {
			return none, err
		}
	}
	r := figure.Report{Name: "build", Notes: []string{
		"A no-change build asks git for the commit's tree, compares the inputs, proves that image, SBOM, provenance and signature are in the registry and verify, and that base images have not moved, and tags the image. All of it is asked of the registry in every run; kept from one to the next are connections, and what the bytes of an SBOM say and whose signature is on them.",
		fmt.Sprintf("buildctl is the raw command on the unchanged folder, without pushing; medians of %d runs, the two sides alternating.", c.Runs),
		"A dirty folder and ko's program are built by the commands that a person types, seatrial build run and ko build, from their start to their end.",
		"The overhead is the difference of the medians of whole builds with a push, one line changed before each: ours takes a commit from git, buildctl the folder, of which it sends what has changed since its last run. Both give every file the time of its commit.",
	}}
	for _, measure := range []func() ([]figure.Figure, error){
		func() ([]figure.Figure, error) { return proofs(ctx, c, l, 1000, say, "linux/amd64") },
		func() ([]figure.Figure, error) { return proofs(ctx, c, l, 10000, say, "linux/amd64") },
		func() ([]figure.Figure, error) { return dirty(ctx, c, l, 1000, say) },
		func() ([]figure.Figure, error) { return dirty(ctx, c, l, 10000, say) },
		func() ([]figure.Figure, error) { return overhead(ctx, c, l, say) },
		func() ([]figure.Figure, error) {
			return proofs(ctx, c, l, 1000, say, "linux/amd64", "linux/arm64", "linux/ppc64le")
		},
		func() ([]figure.Figure, error) { return logged(ctx, c, say) },
		func() ([]figure.Figure, error) { return warmGo(ctx, c, l, say) },
		func() ([]figure.Figure, error) { return whole(ctx, c, l, say) },
	} {
		figures, err := measure()
		if err != nil {
			return none, err
		}
		r.Figures = append(r.Figures, figures...)
	}
	return r, nil
}

// labTool is a program that the lab has built, the newest of several.
func labTool(name string) (string, error) {
	found, err := filepath.Glob("/var/cache/seatrial-lab/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no %s below /var/cache/seatrial-lab: say --%s, or let the lab build it with: bin/lab up", name, name)
	}
	return slices.MaxFunc(found, func(a, b string) int { return modified(a).Compare(modified(b)) }), nil
}

func modified(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func proofs(ctx context.Context, c Config, l lab, files int, say io.Writer, platforms ...string) (figures []figure.Figure, err error) {
	w, err := newWorkshop(ctx, c, l, fmt.Sprintf("proof-%d-%d", files, len(platforms)), files, platforms...)
	if w != nil {
		defer func() { err = errors.Join(err, w.close()) }()
	}
	if err != nil {
		return nil, err
	}
	r, err := w.commit(ctx, fmt.Sprint(time.Now().UnixNano()))
	if err != nil {
		return nil, err
	}
	built, took, why, err := w.build(ctx, r, "first")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(say, "%d files, %d platforms: %s, in %s\n", files, len(platforms), why, took.Round(time.Millisecond))
	if err := w.sign(ctx, built); err != nil {
		return nil, err
	}
	if _, err := w.buildctl(ctx, false, platforms...); err != nil { // warm
		return nil, err
	}
	stop, err := profile(c.Profile, fmt.Sprintf("-%d-%d", files, len(platforms)))
	if err != nil {
		return nil, err
	}
	defer stop()
	var ours, raw []float64
	for i := range c.Runs {
		_, took, why, err := w.build(ctx, r, fmt.Sprint("again", i))
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(why, "unchanged: proved") {
			return nil, fmt.Errorf("an unchanged commit was not proved: %s", why)
		}
		against, err := w.buildctl(ctx, false, platforms...)
		if err != nil {
			return nil, err
		}
		ours, raw = append(ours, ms(took)), append(raw, ms(against))
		fmt.Fprintf(say, "%d files, %d platforms: proved in %.1f ms, buildctl %.1f ms\n", files, len(platforms), ms(took), ms(against))
	}
	name := fmt.Sprintf("no-change build of a commit, %d files, %d platforms", files, len(platforms))
	p50 := figure.Of(name+", p50", figure.Median(ours), "ms").To("buildctl build", figure.Median(raw))
	if len(platforms) == 1 {
		p50 = p50.AtMost(wantProof)
	}
	return []figure.Figure{p50, figure.Of(name+", p95", figure.Percentile(ours, 0.95), "ms").To("buildctl build", figure.Percentile(raw, 0.95))}, nil
}

func overhead(ctx context.Context, c Config, l lab, say io.Writer) (figures []figure.Figure, err error) {
	w, err := newWorkshop(ctx, c, l, "overhead", 1000, "linux/amd64")
	if w != nil {
		defer func() { err = errors.Join(err, w.close()) }()
	}
	if err != nil {
		return nil, err
	}
	var ours, raw []float64
	for i := range c.Runs + 1 {
		r, err := w.commit(ctx, fmt.Sprint("ours ", time.Now().UnixNano()))
		if err != nil {
			return nil, err
		}
		_, took, _, err := w.build(ctx, r, fmt.Sprint("build", i))
		if err != nil {
			return nil, err
		}
		if _, err := w.commit(ctx, fmt.Sprint("raw ", time.Now().UnixNano())); err != nil {
			return nil, err
		}
		against, err := w.buildctl(ctx, true, "linux/amd64")
		if err != nil {
			return nil, err
		}
		if i == 0 {
			continue // it compiles the program, and opens the connections
		}
		ours, raw = append(ours, ms(took)), append(raw, ms(against))
		fmt.Fprintf(say, "one line changed: built in %.0f ms, buildctl %.0f ms\n", ms(took), ms(against))
	}
	a, b := figure.Median(ours), figure.Median(raw)
	return []figure.Figure{
		figure.Of("one line changed, 1000 files, image pushed", a, "ms").To("buildctl build, with its push", b),
		figure.Of("overhead over the bare solve", a-b, "ms").AtMost(wantOverhead),
	}, nil
}

func profile(file, suffix string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file + suffix)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
