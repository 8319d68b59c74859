package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"time"

	"github.com/seatrial/seatrial/deployer/render/charts"
	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/deployer/render/source"
	"github.com/seatrial/seatrial/deployer/render/wire"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/sandbox"
)

// Config says how children are run and what is remembered. Zero fields mean the defaults.
type Config struct {
	Exec     string        // the program whose hidden subcommand is Child, usually our own
	Args     []string      // before ours; default "render-child"
	Memory   int64         // bytes of one child; default 512 MiB
	Parallel int           // children at work at the same time; default one a processor
	Spare    time.Duration // how long a child that was started ahead waits; default: none is
	Cache    int64         // bytes of what is remembered; default 32 MiB
}

// Renderer renders in children and remembers what the same files became. It is safe for
// concurrent use.
type Renderer struct {
	cfg      Config
	cache    *cache
	children *children
	slots    chan struct{}
}

// New makes a Renderer. Close ends its spare child.
func New(cfg Config) *Renderer {
	if cfg.Args == nil {
		cfg.Args = []string{"render-child"}
	}
	if cfg.Memory <= 0 {
		cfg.Memory = 512 << 20
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = runtime.GOMAXPROCS(0)
	}
	if cfg.Cache <= 0 {
		cfg.Cache = 32 << 20
	}
	box := sandbox.Box{Exec: cfg.Exec, Args: cfg.Args, Limits: sandbox.Limits{Memory: cfg.Memory}}
	return &Renderer{cfg: cfg, cache: newCache(cfg.Cache), children: &children{box: box, wait: cfg.Spare}, slots: make(chan struct{}, cfg.Parallel)}
}

// Close ends the child that waits, if one does.
func (r *Renderer) Close() { r.children.close() }

// Isolation says in which isolation children render here. An error says why it is less than
// it could be; rendering goes on.
func (r *Renderer) Isolation(ctx context.Context) (string, error) {
	c, err := r.children.take(ctx, Limits{}.orDefault().Time)
	if err != nil {
		return "", err
	}
	c.Close()
	return r.children.isolation()
}

// Render is Render with a memory, in a child unless the work is small and safe.
func (r *Renderer) Render(ctx context.Context, root fs.FS, o Options) (Rendered, error) {
	o.Limits = o.Limits.orDefault()
	root, fetched, err := complete(ctx, root, o)
	if err != nil {
		return Rendered{}, err
	}
	k, known := r.cache.find(ctx, root, o)
	if !known {
		tree := source.New(root, o.Limits.source())
		at, err := locate(tree, o)
		if err != nil {
			return Rendered{}, err
		}
		if k, err = r.make(ctx, root, tree, at, o); err != nil {
			return Rendered{}, err
		}
		r.cache.keep(o, tree.Reads(), k)
	}
	docs, err := manifest.Decode(k.Docs)
	if err != nil {
		return Rendered{}, gaveUp(k.Place, err)
	}
	out, err := finish(k.Place, made{docs, slices.Concat(fetched, k.Notes)}, o)
	out.Cached = known
	return out, err
}

// complete adds to a chart what it depends on and is in no repository. It does not count as
// asked for: the answers are kept with the charts in their place.
func complete(ctx context.Context, root fs.FS, o Options) (fs.FS, []string, error) {
	if o.Charts == nil {
		return root, nil, nil
	}
	at, err := locate(source.New(root, o.Limits.source()), o)
	if err != nil || at.Kind != Helm {
		return root, nil, nil // whoever renders says what is wrong
	}
	root, notes, err := charts.Complete(ctx, root, at.Path, o.Charts)
	if err != nil && !errors.Is(err, charts.ErrUnfit) {
		err = fmt.Errorf("%w: %w", ErrUnable, err)
	}
	return root, notes, err
}

func (r *Renderer) make(ctx context.Context, root fs.FS, tree *source.Tree, at place, o Options) (kept, error) {
	if at.Kind == Plain && small(root, at.Path) {
		m, err := documents(ctx, tree, at, o)
		if err != nil {
			return kept{}, err
		}
		return keepable(at, m)
	}
	return r.inChild(ctx, tree, at, o)
}

func keepable(at place, m made) (kept, error) {
	docs, err := manifest.Encode(m.docs)
	return kept{at, docs, m.notes}, err
}

// smallBytes of YAML cost this process little, whatever they say.
const smallBytes = 256 << 10

// small reports whether plain manifests may be read in this process. What cannot be read is
// the child's to explain.
func small(root fs.FS, dir string) bool {
	tree := source.New(root, source.Limits{Files: 100, Bytes: smallBytes})
	return source.Walk(tree, dir, other, func(name string) error {
		_, err := tree.Read(name)
		return err
	}) == nil
}

// job is what a child is asked to do.
type job struct {
	Place   place   `json:"place"`
	Options Options `json:"options"`
}

// ErrUnable says that no child could do the work. It is no fault of the manifests: to be
// tried again.
var ErrUnable = errors.New("rendering is not possible now")

func (r *Renderer) inChild(ctx context.Context, tree source.Files, at place, o Options) (kept, error) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return kept{}, fmt.Errorf("render %s: %w", at.Path, ctx.Err())
	}
	defer func() { <-r.slots }()
	limited, cancel := context.WithTimeout(ctx, o.Limits.Time)
	defer cancel()
	c, err := r.children.take(limited, o.Limits.Time)
	if err != nil {
		return kept{}, fmt.Errorf("render %s: %w: %w", at.Path, ErrUnable, err)
	}
	defer r.children.prepare(o.Limits.Time)
	defer c.Close()
	defer context.AfterFunc(limited, c.Kill)()
	o.Image = ""
	raw, err := c.conn.Drive(job{at, o}, tree)
	var k kept
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	if err != nil {
		return kept{}, r.why(ctx, limited, c, at, o, err)
	}
	k.Place = at
	return k, nil
}

// why says what became of a child that gave no result.
func (r *Renderer) why(ctx, limited context.Context, c *child, at place, o Options, err error) error {
	if told, ok := errors.AsType[wire.Told](err); ok {
		return told.Err
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("render %s: %w", at.Path, ctx.Err())
	case limited.Err() != nil:
		return hint.Add(fmt.Errorf("render %s: it takes longer than %s", at.Path, o.Limits.Time), endless)
	case errors.Is(err, wire.ErrLarge):
		return source.TooBig(at.Path, o.Limits.source())
	}
	c.Kill() // if it talks nonsense, it may still run
	ended := c.Ended()
	if errors.Is(ended, sandbox.ErrOver) {
		return hint.Add(fmt.Errorf("render %s: %w", at.Path, ended), endless)
	}
	if errors.Is(ended, sandbox.ErrCrashed) {
		return gaveUp(at, ended)
	}
	return hint.Add(fmt.Errorf("render %s: %w: %w: %w", at.Path, ErrUnable, err, ended), "it is tried again; if it stays, look at the machine's memory")
}

// Child is the hidden subcommand: it shuts itself in, hears one job and does it.
func Child(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	ready := sandbox.Enter(args)
	return wire.Serve(in, out, ready, func(raw json.RawMessage, files source.Files) (result any, err error) {
		var j job
		if err := json.Unmarshal(raw, &j); err != nil {
			return nil, err
		}
		defer func() {
			if p := recover(); p != nil {
				err = gaveUp(j.Place, p)
			}
		}()
		m, err := documents(ctx, files, j.Place, j.Options)
		if err != nil {
			return nil, err
		}
		return keepable(j.Place, m)
	})
}
