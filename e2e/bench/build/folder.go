package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	folders "github.com/seatrial/seatrial/cmd/seatrial/build"
	"github.com/seatrial/seatrial/e2e/bench/figure"
)

const (
	wantFolder = 0.7 // of buildctl's time
	wantKo     = 1.0 // of ko's
)

// folder is how the workshop's files are built as they lie there, without a commit.
func (w *workshop) folder() folders.Options {
	return folders.Options{
		Dir: w.work, Push: w.lab.Registry + "/" + string(w.service), BuildKit: []string{w.lab.BuildKit}, PlainHTTP: true,
		Mirrors: map[string]string{"docker.io": w.lab.Registry, "gcr.io": w.lab.Registry}, Platforms: []string{"linux/amd64"}, State: filepath.Join(w.dir, "folders"),
	}
}

// runFolder is the command that a person types, from its start to its end.
func (w *workshop) runFolder(ctx context.Context) (took time.Duration, said string, err error) {
	o := w.folder()
	args := []string{"build", "run", o.Dir, "--push", o.Push, "--plain-http", "--state", o.State, "--platform", strings.Join(o.Platforms, ","), "--buildkit", o.BuildKit[0]}
	for host, mirror := range o.Mirrors {
		args = append(args, "--mirror", host+"="+mirror)
	}
	begin := time.Now()
	out, err := exec.CommandContext(ctx, filepath.Join(w.c.Bin, "seatrial"), args...).CombinedOutput()
	if took = time.Since(begin); err != nil {
		return took, "", fmt.Errorf("seatrial build run: %w: %s", err, out)
	}
	return took, string(out), nil
}

// inFolder is the same within this process: what it takes beside starting the program. It
// has records of its own, since another version of the builder proves nothing.
func (w *workshop) inFolder(ctx context.Context) (took time.Duration, said string, err error) {
	o := w.folder()
	o.State = filepath.Join(w.dir, "within")
	var out bytes.Buffer
	begin := time.Now()
	_, err = folders.Run(ctx, o, &out)
	return time.Since(begin), out.String(), err
}

// unchanged is the error of a run that should have proved the folder and did not.
func unchanged(said string, err error) error {
	if err == nil && !strings.Contains(said, "unchanged: proved") {
		return fmt.Errorf("an unchanged folder was not proved: %s", said)
	}
	return err
}

// dirty measures an unchanged folder that holds a change which is in no commit.
func dirty(ctx context.Context, c Config, l lab, files int, say io.Writer) (figures []figure.Figure, err error) {
	w, err := newWorkshop(ctx, c, l, fmt.Sprintf("dirty-%d", files), files, "linux/amd64")
	if w != nil {
		defer func() { err = errors.Join(err, w.close()) }()
	}
	if err != nil {
		return nil, err
	}
	if _, err := w.commit(ctx, "committed"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(w.work, "files/00/0.txt"), fmt.Appendf(nil, "dirty %d\n", time.Now().UnixNano()), 0o644); err != nil {
		return nil, err
	}
	if _, _, err := w.runFolder(ctx); err != nil { // builds
		return nil, err
	}
	if _, _, err := w.inFolder(ctx); err != nil {
		return nil, err
	}
	if _, err := w.buildctl(ctx, false, "linux/amd64"); err != nil { // warm
		return nil, err
	}
	var ours, within, raw []float64
	for range c.Runs {
		took, said, err := w.runFolder(ctx)
		if err := unchanged(said, err); err != nil {
			return nil, err
		}
		against, err := w.buildctl(ctx, false, "linux/amd64")
		if err != nil {
			return nil, err
		}
		inside, said, err := w.inFolder(ctx)
		if err := unchanged(said, err); err != nil {
			return nil, err
		}
		ours, within, raw = append(ours, ms(took)), append(within, ms(inside)), append(raw, ms(against))
		fmt.Fprintf(say, "dirty folder, %d files: proved in %.1f ms (%.1f ms without starting the program), buildctl %.1f ms\n", files, ms(took), ms(inside), ms(against))
	}
	name := fmt.Sprintf("the same from a dirty folder, %d files", files)
	return []figure.Figure{
		ratio(name, ours, "buildctl build", raw, wantFolder),
		figure.Of(name+", without starting the program", figure.Median(within), "ms").To("buildctl build", figure.Median(raw)),
	}, nil
}

// warmGo measures a one-line change of a Go program without a Dockerfile, for one platform,
// pushed, against ko with everything it keeps. Neither makes an SBOM or signs.
func warmGo(ctx context.Context, c Config, l lab, say io.Writer) (figures []figure.Figure, err error) {
	if !c.Rivals {
		return nil, nil
	}
	w, err := newWorkshop(ctx, c, l, "warm-go", 100, "linux/amd64")
	if w != nil {
		defer func() { err = errors.Join(err, w.close()) }()
	}
	if err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(w.work, "Dockerfile")); err != nil {
		return nil, err
	}
	ko, err := c.tool(ctx, "ko")
	if err != nil {
		return nil, err
	}
	var ours, raw []float64
	for i := range c.Runs + 1 {
		if _, err := w.program(ctx, fmt.Sprint("ours ", time.Now().UnixNano())); err != nil {
			return nil, err
		}
		took, said, err := w.runFolder(ctx)
		if err == nil && strings.Contains(said, "unchanged: proved") {
			err = errors.New("a changed folder was not built")
		}
		if err != nil {
			return nil, err
		}
		if _, err := w.program(ctx, fmt.Sprint("ko ", time.Now().UnixNano())); err != nil {
			return nil, err
		}
		against, err := w.ko(ctx, ko)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			continue // they compile the standard library
		}
		ours, raw = append(ours, ms(took)), append(raw, ms(against))
		fmt.Fprintf(say, "one line of Go changed in a folder: %.0f ms, ko %.0f ms\n", ms(took), ms(against))
	}
	return []figure.Figure{ratio("warm Go build of a folder, 1 platform, pushed", ours, "ko, with KOCACHE", raw, wantKo)}, nil
}

// ko builds and pushes the workshop's program.
func (w *workshop) ko(ctx context.Context, tool string) (time.Duration, error) {
	cache := filepath.Join(w.dir, "ko")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, tool, "build", "--bare", "--platform=linux/amd64", "--sbom=none", "--insecure-registry", ".")
	cmd.Dir = w.work
	cmd.Env = append(os.Environ(), "KOCACHE="+cache, "KO_DOCKER_REPO="+w.lab.Registry+"/bench/ko", "KO_DEFAULTBASEIMAGE="+w.lab.Registry+"/distroless/static:nonroot",
		"GOFLAGS=-trimpath", "GOTOOLCHAIN=local", "GOWORK=off")
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("ko build: %w: %s", err, out)
	}
	return time.Since(begin), nil
}
