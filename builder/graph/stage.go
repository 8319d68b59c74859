package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/seatrial/seatrial/builder/plan"
)

// Resolver finds an image's digest and config; a gateway client is one.
type Resolver interface {
	ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error)
}

// Graph makes states of a plan's stages.
type Graph struct {
	plan     plan.Plan
	o        Options
	host     ocispecs.Platform
	resolver Resolver
	resolved map[string]Made   // images, by platform and name
	sent     []llb.LocalOption // how the context is sent
}

// New makes a Graph whose commands run on host.
func New(p plan.Plan, o Options, host ocispecs.Platform, r Resolver) *Graph {
	return &Graph{
		plan: p, o: o, host: host, resolver: r, resolved: map[string]Made{},
		sent: []llb.LocalOption{
			llb.ExcludePatterns(append([]string{".git"}, o.Ignore...)), llb.SharedKeyHint(Context), llb.WithCustomName("[internal] load build context"),
		},
	}
}

// Made is a stage's file system, and the config of an image that has it.
type Made struct {
	State    llb.State
	Image    ocispecs.Image
	platform ocispecs.Platform
	base     []byte // config of the image it begins with; nil for scratch
	name     string // of that image, with its digest
}

// Stage makes a stage, and those it uses, for a platform.
func (g *Graph) Stage(ctx context.Context, name string, target ocispecs.Platform) (Made, error) {
	made, need := map[string]Made{}, g.needed(name)
	for _, s := range g.plan.Stages {
		if !need[s.Name] {
			continue
		}
		m, err := g.make(ctx, s, target, made)
		if err != nil {
			return Made{}, err
		}
		made[s.Name] = m
	}
	m, ok := made[name]
	if !ok {
		return Made{}, fmt.Errorf("the plan has no stage %q: there is %s", name, strings.Join(g.plan.Names(), ", "))
	}
	if name == plan.Final {
		m.Image = g.describe(m)
	}
	return m, nil
}

// needed are the stages that one is made of. Those it uses stand before it.
func (g *Graph) needed(name string) map[string]bool {
	need := map[string]bool{name: true}
	for _, s := range slices.Backward(g.plan.Stages) {
		if !need[s.Name] {
			continue
		}
		need[s.From] = true
		for _, step := range s.Steps {
			if step.Copy != nil {
				need[step.Copy.From] = true
			}
		}
	}
	return need
}

func (g *Graph) make(ctx context.Context, s plan.Stage, target ocispecs.Platform, made map[string]Made) (Made, error) {
	on := target
	if s.Host {
		on = g.host
	}
	m, err := g.from(ctx, s, on, made)
	if err != nil {
		return Made{}, err
	}
	m.platform = on
	if s.Dir != "" {
		m.State = m.State.Dir(s.Dir)
	}
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		m.State = m.State.AddEnv(k, s.Env[k])
	}
	for i, step := range s.Steps {
		label := fmt.Sprintf("[%s %d/%d] ", s.Name, i+1, len(s.Steps))
		if len(g.o.Platforms) > 1 {
			label = fmt.Sprintf("[%s %s %d/%d] ", platforms.Format(target), s.Name, i+1, len(s.Steps))
		}
		if step.Run != nil {
			m.State = g.run(m, *step.Run, label+step.String(), target)
		} else {
			m.State = g.copy(m.State, s, *step.Copy, label+step.String(), made)
		}
	}
	return m, nil
}

// from is what a stage begins with.
func (g *Graph) from(ctx context.Context, s plan.Stage, on ocispecs.Platform, made map[string]Made) (Made, error) {
	if m, ok := made[s.From]; ok {
		return m, nil
	}
	if s.From == "scratch" {
		return Made{State: llb.Scratch(), Image: ocispecs.Image{Platform: on, RootFS: ocispecs.RootFS{Type: "layers"}}}, nil
	}
	key := platforms.Format(on) + " " + s.From
	if m, ok := g.resolved[key]; ok {
		return m, nil
	}
	named, err := reference.ParseNormalizedNamed(s.From)
	if err != nil {
		return Made{}, fmt.Errorf("base image %s: %w", s.From, err)
	}
	ref := reference.TagNameOnly(named).String()
	_, found, raw, err := g.resolver.ResolveImageConfig(ctx, ref, sourceresolver.Opt{
		LogName: "[internal] load metadata for " + ref, ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &on, ResolveMode: llb.ResolveModeDefault.String()},
	})
	if err != nil {
		return Made{}, fmt.Errorf("base image %s: %w", ref, err)
	}
	if found != "" && !strings.Contains(ref, "@") {
		ref += "@" + found.String()
	}
	st, err := llb.Image(ref, llb.Platform(on), llb.WithCustomNamef("[%s] FROM %s", s.Name, ref)).WithImageConfig(raw)
	if err != nil {
		return Made{}, fmt.Errorf("config of base image %s: %w", ref, err)
	}
	m := Made{State: st, base: raw, name: ref}
	if err := json.Unmarshal(raw, &m.Image); err != nil {
		return Made{}, fmt.Errorf("config of base image %s: %w", ref, err)
	}
	g.resolved[key] = m
	return m, nil
}

// run is one command. It sees the platform that is built for, not the one it runs on.
func (g *Graph) run(m Made, r plan.Run, name string, target ocispecs.Platform) llb.State {
	known := map[string]string{
		"TARGETPLATFORM": platforms.Format(target), "TARGETOS": target.OS, "TARGETARCH": target.Architecture, "TARGETVARIANT": target.Variant,
	}
	opts := []llb.RunOption{llb.Args([]string{"/bin/sh", "-c", r.Command}), llb.Platform(m.platform), llb.WithCustomName(name)}
	for _, arg := range r.Args {
		value, ok := known[arg]
		if !ok {
			value, ok = g.o.Args[arg]
		}
		if ok {
			opts = append(opts, llb.AddEnv(arg, value))
		}
	}
	if m.Image.Config.User != "" {
		opts = append(opts, llb.User(m.Image.Config.User))
	}
	if r.Bind != "" {
		opts = append(opts, llb.AddMount(r.Bind, g.context()))
	}
	for _, c := range r.Caches {
		opts = append(opts, llb.AddMount(c.Path, llb.Scratch(), llb.AsPersistentCacheDir(g.o.Caches+"/"+c.Name, llb.CacheMountShared)))
	}
	state := m.State
	for _, s := range r.Secrets {
		opts = append(opts, llb.AddSecret(s.Path, llb.SecretID(s.ID)))
		state = state.Hostname(g.o.Scope) // the secret itself is not in the key of the cache
	}
	if r.Offline {
		opts = append(opts, llb.Network(pb.NetMode_NONE))
	}
	return state.Run(opts...).Root()
}

// copy brings files in. Those of the image carry a time that does not depend on when
// they were made; earlier ones keep theirs, so that the next commit finds them made.
func (g *Graph) copy(to llb.State, s plan.Stage, c plan.Copy, name string, made map[string]Made) llb.State {
	from := g.context()
	if c.From != "" {
		from = made[c.From].State
	}
	info := &llb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true, ExcludePatterns: c.Exclude}
	if s.Name == plan.Final {
		at := g.o.Epoch
		if c.Common {
			at = time.Unix(0, 0)
		}
		info.CreatedTime = &at
	}
	action := llb.Copy(from, c.Paths[0], c.To, info)
	for _, path := range c.Paths[1:] {
		action = action.Copy(from, path, c.To, info)
	}
	return to.File(action, llb.WithCustomName(name))
}

func (g *Graph) context() llb.State { return llb.Local(Context, g.sent...) }

// describe is the config of the image: the base's, and what the plan says over it.
func (g *Graph) describe(m Made) ocispecs.Image {
	image, out := g.plan.Image, m.Image
	epoch := g.o.Epoch.UTC()
	out.Created = &epoch
	c := &out.Config
	c.Env = slices.Clone(c.Env)
	for _, k := range slices.Sorted(maps.Keys(image.Env)) {
		c.Env = slices.DeleteFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, k+"=") })
		c.Env = append(c.Env, k+"="+image.Env[k])
	}
	c.User, c.WorkingDir, c.Entrypoint, c.Cmd = image.User, image.Dir, image.Entrypoint, nil
	c.Labels = maps.Clone(c.Labels)
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	maps.Copy(c.Labels, g.o.Labels)
	if name, sum, ok := strings.Cut(m.name, "@"); ok {
		c.Labels[ocispecs.AnnotationBaseImageName], c.Labels[ocispecs.AnnotationBaseImageDigest] = name, sum
	}
	if image.Port > 0 {
		c.ExposedPorts = map[string]struct{}{fmt.Sprintf("%d/tcp", image.Port): {}}
	}
	return out
}
