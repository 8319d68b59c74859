package builder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/tonistiigi/fsutil"

	"github.com/seatrial/seatrial/builder/daemons"
	"github.com/seatrial/seatrial/builder/dockerfile"
	"github.com/seatrial/seatrial/builder/graph"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/watch"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

const compatibility = 30 // of BuildKit; pinned: another one changes digests

// request is one solve.
type request struct {
	opt        client.SolveOpt
	frontend   gateway.BuildFunc // ours; nil for the Dockerfile's
	repository string
	command    string // for a person to repeat it
	file       string // the Dockerfile's path, for messages
}

// request describes one solve: a check has no output, the image is pushed as an index
// with the commit's time in every file; that of a pull request has none either.
func (b *Builder) request(src *source, rec *record, g goal, push bool) request {
	p := g.plan
	if src.planned != nil {
		return b.planned(src, rec, g, push)
	}
	attrs := map[string]string{"filename": "Dockerfile", "target": g.target, "build-arg:BUILDKIT_CACHE_MOUNT_NS": p.caches()}
	if dockerfile.WantsEpoch(src.text) {
		attrs["build-arg:SOURCE_DATE_EPOCH"] = epoch(rec.Committed)
	}
	if src.syntax != "" {
		attrs["cmdline"] = src.syntax // taken by the built-in frontend, nothing is loaded
	}
	for k, v := range p.Args {
		attrs["build-arg:"+k] = v
	}
	opt := b.solveOpt(rec, push)
	opt.Frontend, opt.FrontendAttrs = "dockerfile.v0", attrs
	opt.LocalMounts = map[string]fsutil.FS{"context": src.context, "dockerfile": src.dockerfile}
	for name, from := range p.Contexts {
		attrs["context:"+name] = from
		if folder := src.named[name]; folder != nil {
			attrs["context:"+name], opt.LocalMounts["context-"+name] = "local:context-"+name, folder
		}
	}
	if scope := p.mounts.Scope(b.key); scope != "" {
		attrs["hostname"] = scope // of the steps: what they fetch with a secret is cached for who has the secret
	}
	if push {
		attrs["platform"], attrs["multi-platform"] = strings.Join(p.Platforms, ","), "true"
	}
	return request{opt: opt, repository: rec.Repository, command: p.command(g.target), file: src.shown}
}

// planned describes a solve of a plan, by a frontend of our own.
func (b *Builder) planned(src *source, rec *record, g goal, push bool) request {
	p := g.plan
	opt := b.solveOpt(rec, push)
	opt.LocalMounts = map[string]fsutil.FS{graph.Context: src.context}
	frontend := graph.Build(*src.planned, graph.Options{
		Target: g.target, Platforms: p.Platforms, Args: p.Args, Epoch: rec.Committed, Ignore: src.ignore, Caches: p.caches(), Scope: p.mounts.Scope(b.key),
		Labels: map[string]string{
			"org.opencontainers.image.title": string(p.Service), "org.opencontainers.image.revision": string(p.Commit),
			"org.opencontainers.image.source": withoutUser(p.Repository),
		},
	})
	return request{opt: opt, frontend: frontend, repository: rec.Repository, command: p.command(g.target), file: src.shown}
}

// withoutUser is an address without what may be a password.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

// solveOpt is what every solve has in common. A fork's has no login: with one it could read
// every image of ours.
func (b *Builder) solveOpt(rec *record, push bool) client.SolveOpt {
	opt := client.SolveOpt{
		CompatibilityVersion: compatibility,
		SharedKey:            rec.Plan.sent(),
		Session:              []session.Attachable{b.desk.For(rec.Plan.project, rec.Plan.pull != nil && rec.Plan.pull.Fork), rec.Plan.mounts.Attach()},
	}
	if push && rec.Plan.kept {
		out := map[string]string{
			"name": rec.Repository + ":" + rec.Tag, "push": "true", "oci-mediatypes": "true",
			"rewrite-timestamp": "true", "source-date-epoch": epoch(rec.Committed), "unpack": "false",
		}
		if b.p.Registry.Host(oci.Ref{Repository: rec.Repository}.Host()).PlainHTTP {
			out["registry.insecure"] = "true"
		}
		opt.Exports = []client.ExportEntry{{Type: client.ExporterImage, Attrs: out}}
	}
	return opt
}

// solved is what a solve gave.
type solved struct {
	digest release.Digest
	bases  []base
	loose  []string // steps that read what nothing pins
	steps  []Step   // of a solve that failed, too
}

// sent names what is sent for a plan. Files that look unchanged are not sent again, so only
// builds of the same files may share a name.
func (p Plan) sent() string {
	return fmt.Sprintf("seatrial/%s/%s/%q/%q/%q", p.Service, p.Commit, p.Context, p.Dockerfile, p.Contexts)
}

// solve runs one request and writes its progress to the log. The status channel is
// drained until BuildKit closes it, whatever happens to ctx: else the solve would hang.
func solve(ctx context.Context, d *daemons.Daemon, r request, log *logs.Log) (solved, error) {
	status := make(chan *client.SolveStatus)
	w := watch.New(log)
	var drained sync.WaitGroup
	drained.Go(func() {
		for s := range status {
			w.See(s)
		}
	})
	var resp *client.SolveResponse
	var err error
	if r.frontend != nil {
		resp, err = d.Build(ctx, r.opt, "seatrial", r.frontend, status)
	} else {
		resp, err = d.Solve(ctx, nil, r.opt, status)
	}
	drained.Wait()
	out := solved{steps: w.Report()}
	for _, name := range slices.Sorted(maps.Keys(w.Bases)) {
		out.bases = append(out.bases, base{Name: name, Digest: w.Bases[name]})
	}
	if err != nil {
		if ctx.Err() != nil {
			return out, fmt.Errorf("build: %w", errors.Join(ctx.Err(), context.Cause(ctx)))
		}
		return out, explain(d, err, r, w, log.Mask)
	}
	out.digest, out.loose = release.Digest(resp.ExporterResponse["containerimage.digest"]), w.Loose()
	return out, nil
}
