// Package graph turns a plan into what BuildKit solves, in our own process: no frontend
// is loaded, neither from an image nor by buildkitd.
//
// Start at Build. Stages that run on the building machine are made once for each
// platform that they compile for, without an emulator. It never decides anything about a
// build: all that differs from the Dockerfile of the same plan is the time that copied
// files carry.
package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	commonexptypes "github.com/moby/buildkit/exporter/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/seatrial/seatrial/builder/plan"
)

// Context is the name that the build context is sent under.
const Context = "context"

// Options are what a build is about, beside its plan.
type Options struct {
	Target    string            // a stage; empty for the image
	Platforms []string          // of the image
	Args      map[string]string // build arguments
	Labels    map[string]string // of the image
	Epoch     time.Time         // every file of the commit carries it
	Ignore    []string          // patterns of what is not sent
	Scope     string            // who shares what a command made of a secret; empty without secrets
	Caches    string            // whose caches are used: the beginning of their names
}

// Build is a frontend for one plan. The image comes as an index with one entry for each
// platform; any other stage is only made, for the building machine.
func Build(p plan.Plan, o Options) gateway.BuildFunc {
	return func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		opts := c.BuildOpts()
		host := platforms.DefaultSpec()
		if len(opts.Workers) > 0 && len(opts.Workers[0].Platforms) > 0 {
			host = platforms.Normalize(opts.Workers[0].Platforms[0])
		}
		g := New(p, o, host, c)
		g.sent = append(g.sent, llb.SessionID(opts.SessionID))
		solve := func(m Made) (gateway.Reference, error) {
			def, err := m.State.Marshal(ctx, llb.Platform(m.platform), llb.WithCaps(opts.LLBCaps), llb.LocalUniqueID(opts.SessionID))
			if err != nil {
				return nil, fmt.Errorf("write down the build: %w", err)
			}
			res, err := c.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB()})
			if err != nil {
				return nil, err
			}
			return res.SingleRef()
		}
		if o.Target != "" && o.Target != plan.Final {
			return one(ctx, g, o.Target, host, solve)
		}
		return index(ctx, g, o, solve)
	}
}

func one(ctx context.Context, g *Graph, stage string, host ocispecs.Platform, solve func(Made) (gateway.Reference, error)) (*gateway.Result, error) {
	m, err := g.Stage(ctx, stage, host)
	if err != nil {
		return nil, err
	}
	ref, err := solve(m)
	if err != nil {
		return nil, err
	}
	res := gateway.NewResult()
	res.SetRef(ref)
	return res, nil
}

func index(ctx context.Context, g *Graph, o Options, solve func(Made) (gateway.Reference, error)) (*gateway.Result, error) {
	res := gateway.NewResult()
	var all exptypes.Platforms
	for _, name := range o.Platforms {
		p, err := platforms.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("platform %s: %w", name, err)
		}
		p = platforms.Normalize(p)
		m, err := g.Stage(ctx, plan.Final, p)
		if err != nil {
			return nil, err
		}
		ref, err := solve(m)
		if err != nil {
			return nil, err
		}
		config, err := json.Marshal(m.Image)
		if err != nil {
			return nil, fmt.Errorf("encode the image's config: %w", err)
		}
		id := platforms.Format(p)
		res.AddRef(id, ref)
		res.AddMeta(exptypes.ExporterImageConfigKey+"/"+id, config)
		if m.base != nil { // its layers stay as they are, so that images share them
			res.AddMeta(exptypes.ExporterImageBaseConfigKey+"/"+id, m.base)
		}
		res.AddMeta(commonexptypes.ExporterEpochKey+"/"+id, strconv.AppendInt(nil, o.Epoch.Unix(), 10))
		all.Platforms = append(all.Platforms, exptypes.Platform{ID: id, Platform: p})
	}
	list, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encode the platforms: %w", err)
	}
	res.AddMeta(exptypes.ExporterPlatformsKey, list)
	return res, nil
}
