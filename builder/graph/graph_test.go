package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/builder/graph"
	"github.com/seatrial/seatrial/builder/plan"
)

// images is a registry that has every image, each with its own digest.
type images struct{}

func (images) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := ocispecs.Image{Platform: *opt.ImageOpt.Platform}
	config.Config.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "FROM=" + ref}
	config.Config.WorkingDir, config.Config.Cmd = "/", []string{"sh"}
	raw, err := json.Marshal(config)
	return ref, digest.FromString(ref), raw, err
}

var (
	host   = platforms.MustParse("linux/amd64")
	args   = map[string]string{"VERSION": "0123456789ab", "COMMIT": strings.Repeat("01", 20), "API": "https://api.example"}
	commit = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
)

// trees are the small trees that package plan is tested with, as far as they have a plan.
func trees(t *testing.T) map[string]plan.Plan {
	t.Helper()
	files, err := filepath.Glob("../plan/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]plan.Plan{}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ask, tree := plan.Ask{Name: "web", Args: []string{"API"}}, fstest.MapFS{}
		for _, f := range a.Files {
			if f.Name == "ask" {
				if err := yaml.Unmarshal(f.Data, &ask.BuildPlan); err != nil {
					t.Fatal(err)
				}
			}
			if f.Name == "secrets" {
				ask.Secrets = strings.Fields(string(f.Data))
			}
			tree[f.Name] = &fstest.MapFile{Data: f.Data}
		}
		if p, err := plan.Detect(tree, ask); err == nil {
			out[filepath.Base(file)] = p
		}
	}
	if len(out) < 10 {
		t.Fatalf("%d plans", len(out))
	}
	return out
}

// TestAGraphDoesWhatTheDockerfileDoes compares both ways a plan can go: our graph, and
// the ejected text as BuildKit's parser reads it.
func TestAGraphDoesWhatTheDockerfileDoes(t *testing.T) {
	for name, p := range trees(t) {
		for _, target := range []string{"linux/amd64", "linux/arm64", "linux/arm/v7"} {
			for _, stage := range p.Names() {
				t.Run(name+"/"+target+"/"+stage, func(t *testing.T) {
					platform := platforms.MustParse(target)
					m, err := graph.New(p, graph.Options{Args: args, Epoch: commit, Caches: "shop/web/trusted"}, host, images{}).Stage(t.Context(), stage, platform)
					if err != nil {
						t.Fatal(err)
					}
					text := plan.Dockerfile(p, map[string]string{"API": args["API"]})
					theirs, config := dockerfile(t, text, stage, platform)
					if ours := acts(t, m.State); !reflect.DeepEqual(ours, theirs) {
						t.Errorf("ours\n%s\nof the Dockerfile\n%s\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"), text)
					}
					if stage != plan.Final {
						return
					}
					c := m.Image.Config
					slices.Sort(c.Env)
					if c.Labels = nil; !reflect.DeepEqual(c, config) {
						t.Errorf("config ours\n%+v\nof the Dockerfile\n%+v", c, config)
					}
				})
			}
		}
	}
}

// acts are the things a graph does, each as a line: what it starts from, runs and copies.
// Making a folder to work in is left out, since copying into one makes it as well.
func acts(t *testing.T, st llb.State) []string {
	t.Helper()
	def, err := st.Marshal(t.Context(), llb.Platform(host))
	if err != nil {
		t.Fatal(err)
	}
	ops := map[string]*pb.Op{}
	var list []*pb.Op
	for _, raw := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(raw); err != nil {
			t.Fatal(err)
		}
		ops[digest.FromBytes(raw).String()] = &op
		list = append(list, &op)
	}
	seen := map[string]bool{}
	for _, op := range list {
		switch o := op.Op.(type) {
		case *pb.Op_Source:
			if !strings.HasPrefix(o.Source.Identifier, "local://") {
				seen[fmt.Sprintf("from %s on %s/%s", strings.Split(o.Source.Identifier, "@")[0], op.Platform.OS, op.Platform.Architecture)] = true
			}
		case *pb.Op_Exec:
			seen[execution(op, o.Exec)] = true
		case *pb.Op_File:
			for _, a := range o.File.Actions {
				if c := a.GetCopy(); c != nil {
					seen[fmt.Sprintf("copy %s to %s without %v", root(c.Src), strings.TrimSuffix(c.Dest, "/"), c.ExcludePatterns)] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func execution(op *pb.Op, e *pb.ExecOp) string {
	var mounts []string
	for _, m := range e.Mounts {
		id := ""
		if m.CacheOpt != nil {
			id = "cache"
		}
		if m.SecretOpt != nil {
			id = fmt.Sprintf("secret %s optional=%v", m.SecretOpt.ID, m.SecretOpt.Optional)
		}
		if m.Dest != "/" {
			mounts = append(mounts, fmt.Sprintf("%s %s readonly=%v", m.Dest, id, m.Readonly))
		}
	}
	slices.Sort(mounts)
	return fmt.Sprintf("run %q in %s with %q mounts %q network %v on %s", e.Meta.Args[2], e.Meta.Cwd, slices.Sorted(slices.Values(e.Meta.Env)), mounts, e.Network, op.Platform.Architecture)
}

func TestCachesBelongToTheServiceAndItsTrust(t *testing.T) {
	p := trees(t)["go-locked.txtar"]
	m, err := graph.New(p, graph.Options{Caches: "shop/web/untrusted"}, host, images{}).Stage(t.Context(), plan.Final, host)
	if err != nil {
		t.Fatal(err)
	}
	def, err := m.State.Marshal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, raw := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(raw); err != nil {
			t.Fatal(err)
		}
		for _, m := range op.GetExec().GetMounts() {
			if m.CacheOpt != nil {
				ids = append(ids, m.CacheOpt.ID)
			}
		}
	}
	slices.Sort(ids)
	if want := []string{"shop/web/untrusted/go-build", "shop/web/untrusted/go-mod"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("caches %q", ids)
	}
}

func TestWhatASecretFetchesIsCachedForWhoHasIt(t *testing.T) {
	p := trees(t)["node-npm-private.txtar"]
	m, err := graph.New(p, graph.Options{Scope: "build-0123"}, host, images{}).Stage(t.Context(), plan.Final, host)
	if err != nil {
		t.Fatal(err)
	}
	def, err := m.State.Marshal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	scoped := 0
	for _, raw := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(raw); err != nil {
			t.Fatal(err)
		}
		e := op.GetExec()
		secret := slices.ContainsFunc(e.GetMounts(), func(m *pb.Mount) bool { return m.SecretOpt != nil })
		if secret && e.Meta.Hostname != "build-0123" {
			t.Errorf("%q on host %q", e.Meta.Args, e.Meta.Hostname)
		} else if secret {
			scoped++
		}
	}
	if scoped == 0 {
		t.Error("no step mounts the secret")
	}
}

func TestAStageThatIsNotThere(t *testing.T) {
	p := trees(t)["go-root.txtar"]
	_, err := graph.New(p, graph.Options{}, host, images{}).Stage(t.Context(), "tset", host)
	if err == nil || !strings.Contains(err.Error(), "go, test, build, root, image") {
		t.Errorf("error = %v", err)
	}
}

func TestTheImageSaysWhereItIsFrom(t *testing.T) {
	o := graph.Options{Epoch: commit, Labels: map[string]string{ocispecs.AnnotationRevision: args["COMMIT"]}}
	m, err := graph.New(trees(t)["go-root.txtar"], o, host, images{}).Stage(t.Context(), plan.Final, platforms.MustParse("linux/s390x"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Image.Architecture != "s390x" || !m.Image.Created.Equal(commit) || m.Image.Config.Labels[ocispecs.AnnotationRevision] != args["COMMIT"] || m.Image.Config.User != "65532:65532" {
		t.Errorf("%+v", m.Image)
	}
}
