package sbom

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

var errLarge = errors.New("the document is larger than allowed")

// scan describes the fetched images below dir in one child, which prints one document a
// line. The child gets nothing of the server's environment: no secrets.
func (g *Generator) scan(ctx context.Context, dir, repository string, images []release.Platform) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := append(slices.Clone(g.cfg.Args), "--layout", dir, "--repository", repository,
		"--author", g.cfg.Author, "--modules", g.cfg.Modules, "--max-bytes", strconv.FormatInt(g.cfg.MaxImage, 10))
	for _, p := range images {
		args = append(args, "--image", p.Name+"="+string(p.Digest))
	}
	cmd := exec.CommandContext(ctx, g.cfg.Exec, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "GOMEMLIMIT=512MiB"}
	cmd.WaitDelay = 5 * time.Second
	stderr := &tail{max: 8 << 10}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	saved := g.save(out, repository, images)
	if saved != nil {
		cancel() // the child has nobody to print to any more
	}
	err = cmd.Wait()
	switch {
	case saved != nil && !errors.Is(saved, io.ErrUnexpectedEOF):
		return fmt.Errorf("scan: %w", saved)
	case ctx.Err() != nil && saved == nil:
		return fmt.Errorf("scan: %w", ctx.Err())
	case err != nil && stderr.String() != "":
		return fmt.Errorf("scan: %w: %s", err, strings.TrimSpace(stderr.String()))
	case err != nil:
		return fmt.Errorf("scan: %w", errors.Join(err, context.Cause(ctx)))
	}
	return saved
}

// save keeps one line of the child's output for each image.
func (g *Generator) save(out io.Reader, repository string, images []release.Platform) error {
	in := bufio.NewReaderSize(out, 64<<10)
	for _, p := range images {
		if err := g.write(repository, p, func(w io.Writer) error { return copyLine(w, in, g.cfg.MaxBytes) }); err != nil {
			return err
		}
	}
	return nil
}

func copyLine(w io.Writer, in *bufio.Reader, limit int64) error {
	for {
		part, err := in.ReadSlice('\n')
		if limit -= int64(len(part)); limit < 0 {
			return errLarge
		}
		if _, e := w.Write(bytes.TrimSuffix(part, []byte{'\n'})); e != nil {
			return e
		}
		switch {
		case err == nil:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// tail keeps the last bytes written to it.
type tail struct {
	bytes.Buffer
	max int
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.Buffer.Write(p)
	if over := t.Len() - t.max; over > 0 {
		t.Next(over)
	}
	return len(p), nil
}
