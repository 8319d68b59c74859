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
	"strings"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/release"
)

const (
	wantWhole = 0.6 // of the other tools' time
	wantSBOM  = 0.1 // of syft's
)

// rivals are the tools that people run one after the other instead.
type rivals struct {
	syft, cosign string
	dir          string // of what one hands to the next
}

// theirs finds the tools; the lab compiles those that it does not have yet.
func theirs(ctx context.Context, c Config, dir string) (rivals, error) {
	r := rivals{dir: dir}
	for name, path := range map[string]*string{"syft": &r.syft, "cosign": &r.cosign} {
		var err error
		if *path, err = c.tool(ctx, name); err != nil {
			return r, err
		}
	}
	cmd := exec.CommandContext(ctx, r.cosign, "generate-key-pair")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "COSIGN_PASSWORD=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return r, fmt.Errorf("cosign generate-key-pair: %w: %s", err, out)
	}
	return r, nil
}

// tool is where the lab has another tool, which it compiles the first time.
func (c Config) tool(ctx context.Context, name string) (string, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(c.Bin, "lab"), "tool", name).Output()
	if err != nil {
		return "", fmt.Errorf("lab tool %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// whole compares everything that a one-line change of a Go service needs: the image of
// three platforms, SBOMs, provenance and signatures, attached.
func whole(ctx context.Context, c Config, l lab, say io.Writer) (figures []figure.Figure, err error) {
	if !c.Rivals {
		return nil, nil
	}
	platforms := []string{"linux/amd64", "linux/arm64", "linux/ppc64le"}
	w, err := newWorkshop(ctx, c, l, "whole", 100, platforms...)
	if w != nil {
		defer func() { err = errors.Join(err, w.close()) }()
	}
	if err != nil {
		return nil, err
	}
	tools, err := theirs(ctx, c, w.dir)
	if err != nil {
		return nil, err
	}
	var ours, raw, bom, rawBOM []float64
	for i := range max(5, c.Runs/3) + 1 {
		a, took, err := w.whole(ctx, fmt.Sprint("whole", i))
		if err != nil {
			return nil, err
		}
		against, err := w.sequence(ctx, tools, platforms)
		if err != nil {
			return nil, err
		}
		mine, other, err := w.bom(ctx, tools, a, fmt.Sprint("bom", i))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			continue // it compiles the standard library
		}
		ours, raw, bom, rawBOM = append(ours, ms(took)), append(raw, ms(against)), append(bom, ms(mine)), append(rawBOM, ms(other))
		fmt.Fprintf(say, "one line of Go changed, 3 platforms: %.0f ms, buildctl+syft+cosign %.0f ms; SBOM of one platform %.0f ms, syft %.0f ms\n", ms(took), ms(against), ms(mine), ms(other))
	}
	return []figure.Figure{
		ratio("one-line change of a Go service, 3 platforms, image + SBOM + provenance + signatures", ours, "buildctl, syft, cosign in sequence", raw, wantWhole),
		ratio("SBOM of a Go image, one platform", bom, "syft", rawBOM, wantSBOM),
	}, nil
}

// ratio is a figure whose target is a part of what the others take.
func ratio(name string, ours []float64, against string, theirs []float64, want float64) figure.Figure {
	f := figure.Of(name, figure.Median(ours), "ms").To(against, figure.Median(theirs))
	met := f.Ratio != nil && *f.Ratio <= want
	f.Target, f.Met = fmt.Sprintf("ratio <= %g", want), &met
	return f
}

// whole is ours: a build, then signatures, SBOMs and provenance on index and platforms.
func (w *workshop) whole(ctx context.Context, key string) (release.Artifact, time.Duration, error) {
	r, err := w.program(ctx, fmt.Sprint("ours ", time.Now().UnixNano()))
	if err != nil {
		return release.Artifact{}, 0, err
	}
	begin := time.Now()
	r, _, _, err = w.build(ctx, r, key)
	if err != nil {
		return release.Artifact{}, 0, err
	}
	err = w.sign(ctx, r)
	return *r.Artifact, time.Since(begin), err
}

// sequence is theirs: the least that gives the same kinds of documents - SBOMs of the
// platforms, BuildKit's provenance signed for the index, one signature on each image.
func (w *workshop) sequence(ctx context.Context, tools rivals, platforms []string) (time.Duration, error) {
	if _, err := w.program(ctx, fmt.Sprint("theirs ", time.Now().UnixNano())); err != nil {
		return 0, err
	}
	begin := time.Now()
	if _, err := w.buildctl(ctx, true, platforms...); err != nil {
		return 0, err
	}
	image := w.lab.Registry + "/" + string(w.service) + ":buildctl"
	if err := tools.sign(ctx, image, platforms); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}

func (t rivals) sign(ctx context.Context, image string, platforms []string) error {
	flags := []string{"--key", filepath.Join(t.dir, "cosign.key"), "--tlog-upload=false", "--use-signing-config=false", "--allow-http-registry", "--yes"}
	for i, p := range platforms {
		file := filepath.Join(t.dir, fmt.Sprintf("bom%d.json", i))
		if err := t.scan(ctx, image, p, file); err != nil {
			return err
		}
		if err := t.attach(ctx, append([]string{"attest", "--type", "cyclonedx", "--predicate", file}, append(flags, image)...)...); err != nil {
			return err
		}
	}
	file := filepath.Join(t.dir, "provenance.json")
	if err := os.WriteFile(file, []byte(`{"buildDefinition":{"buildType":"https://example.org/bench"},"runDetails":{"builder":{"id":"https://example.org/bench"}}}`), 0o600); err != nil {
		return err
	}
	return errors.Join(
		t.attach(ctx, append([]string{"attest", "--type", "slsaprovenance1", "--predicate", file}, append(flags, image)...)...),
		t.attach(ctx, append([]string{"sign", "--recursive"}, append(flags, image)...)...))
}

func (t rivals) attach(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, t.cosign, args...)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cosign %s: %w: %s", args[0], err, out)
	}
	return nil
}

func (t rivals) scan(ctx context.Context, image, platform, file string) error {
	cmd := exec.CommandContext(ctx, t.syft, "scan", "registry:"+image, "--platform", platform, "--quiet", "-o", "cyclonedx-json="+file)
	cmd.Env = append(os.Environ(), "SYFT_REGISTRY_INSECURE_USE_HTTP=true", "SYFT_CHECK_FOR_APP_UPDATE=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("syft %s: %w: %s", image, err, out)
	}
	return nil
}

// bom makes the SBOM of one platform from the registry, without anything kept, twice.
func (w *workshop) bom(ctx context.Context, tools rivals, a release.Artifact, name string) (ours, theirs time.Duration, err error) {
	fresh, err := w.generator(filepath.Join(w.dir, name))
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	doc, err := fresh.Generate(ctx, a, a.Platforms[0])
	ours = time.Since(begin)
	if err != nil || !json.Valid(doc) {
		return 0, 0, fmt.Errorf("SBOM: %w", err)
	}
	begin = time.Now()
	err = tools.scan(ctx, a.Repository+"@"+string(a.Platforms[0].Digest), a.Platforms[0].Name, filepath.Join(w.dir, "theirs.json"))
	return ours, time.Since(begin), err
}
