package graph_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// reading is a Dockerfile read for one target: enough of one for what a plan writes.
type reading struct {
	t      *testing.T
	target ocispecs.Platform
	stages []instructions.Stage
	made   map[string]scene
	acts   map[string]bool
}

// scene is where a stage's next command would run.
type scene struct {
	env    map[string]string
	dir    string
	on     ocispecs.Platform
	config ocispecs.ImageConfig
}

// dockerfile gives the acts of one stage, and of those it uses, and its config.
func dockerfile(t *testing.T, text, stage string, target ocispecs.Platform) ([]string, ocispecs.ImageConfig) {
	t.Helper()
	ast, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	stages, _, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	r := &reading{t, target, stages, map[string]scene{}, map[string]bool{}}
	s := r.stage(stage)
	for k, v := range s.env {
		s.config.Env = append(s.config.Env, k+"="+v)
	}
	slices.Sort(s.config.Env)
	s.config.WorkingDir = s.dir
	return slices.Sorted(maps.Keys(r.acts)), s.config
}

func (r *reading) word(s string) string {
	r.t.Helper()
	out, _, err := shell.NewLex('\\').ProcessWord(s, shell.EnvsFromSlice(nil))
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *reading) stage(name string) scene {
	if s, ok := r.made[name]; ok {
		return s
	}
	i := slices.IndexFunc(r.stages, func(s instructions.Stage) bool { return s.Name == name })
	st := r.stages[i]
	var s scene
	switch {
	case st.BaseName == "scratch":
		s = scene{env: map[string]string{}, dir: "/", on: r.target}
	case slices.ContainsFunc(r.stages[:i], func(x instructions.Stage) bool { return x.Name == st.BaseName }):
		s = r.stage(st.BaseName)
		s.env = maps.Clone(s.env)
	default:
		s = scene{dir: "/", on: r.target}
		if st.Platform == "$BUILDPLATFORM" {
			s.on = host
		}
		named, err := reference.ParseNormalizedNamed(st.BaseName)
		if err != nil {
			r.t.Fatal(err)
		}
		ref := reference.TagNameOnly(named).String()
		s.env = map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "FROM": ref}
		r.acts[fmt.Sprintf("from docker-image://%s on %s/%s", ref, s.on.OS, s.on.Architecture)] = true
	}
	args := map[string]string{}
	for _, c := range st.Commands {
		r.command(c, &s, args)
	}
	r.made[name] = s
	return s
}

func (r *reading) command(c instructions.Command, s *scene, in map[string]string) {
	switch c := c.(type) {
	case *instructions.WorkdirCommand:
		s.dir = c.Path
	case *instructions.EnvCommand:
		s.env[c.Env[0].Key] = r.word(c.Env[0].Value)
	case *instructions.ArgCommand:
		known := map[string]string{"TARGETOS": r.target.OS, "TARGETARCH": r.target.Architecture, "TARGETVARIANT": r.target.Variant}
		if v, ok := known[c.Args[0].Key]; ok {
			in[c.Args[0].Key] = v
		} else if v, ok := args[c.Args[0].Key]; ok {
			in[c.Args[0].Key] = v
		}
	case *instructions.CopyCommand:
		if c.From != "" {
			r.stage(c.From)
		}
		for _, src := range c.SourcePaths {
			r.acts[fmt.Sprintf("copy %s to %s without %v", root(src), strings.TrimSuffix(c.DestPath, "/"), c.ExcludePatterns)] = true
		}
	case *instructions.RunCommand:
		r.run(c, *s, in)
	case *instructions.UserCommand:
		s.config.User = c.User
	case *instructions.EntrypointCommand:
		s.config.Entrypoint = c.CmdLine
	case *instructions.ExposeCommand:
		s.config.ExposedPorts = map[string]struct{}{c.Ports[0] + "/tcp": {}}
	default:
		r.t.Errorf("a plan does not write %s", c.Name())
	}
}

func (r *reading) run(c *instructions.RunCommand, s scene, in map[string]string) {
	if err := c.Expand(func(w string) (string, error) { return w, nil }); err != nil {
		r.t.Fatal(err)
	}
	var mounts, env []string
	for _, m := range instructions.GetMounts(c) {
		kind := ""
		if m.Type == instructions.MountTypeCache {
			kind = "cache"
		}
		if m.Type == instructions.MountTypeSecret { // BuildKit decides for itself that it is read only
			kind, m.ReadOnly = fmt.Sprintf("secret %s optional=%v", m.CacheID, !m.Required), false
		}
		mounts = append(mounts, fmt.Sprintf("%s %s readonly=%v", m.Target, kind, m.ReadOnly))
	}
	slices.Sort(mounts)
	seen := maps.Clone(s.env)
	maps.Copy(seen, in)
	for k, v := range seen {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	network := pb.NetMode_UNSET
	if instructions.GetNetwork(c) == instructions.NetworkNone {
		network = pb.NetMode_NONE
	}
	r.acts[fmt.Sprintf("run %q in %s with %q mounts %q network %v on %s", strings.Join(c.CmdLine, " "), s.dir, env, mounts, network, s.on.Architecture)] = true
}

// root is a source's path as it is in the graph, seen from the root of where it is from.
func root(src string) string {
	return strings.TrimSuffix(path.Join("/", src), "/")
}
