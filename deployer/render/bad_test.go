package render_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/hint"
)

func wide(s string, mark bool) string {
	var out []byte
	if mark {
		out = []byte{0xff, 0xfe}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

func TestBadInputIsRefusedWithTheNextStep(t *testing.T) {
	r := renderer(t, render.Config{})
	many, configMaps := map[string]string{"deploy/Chart.yaml": chartYAML}, strings.Builder{}
	for i := range 10_000 {
		many[fmt.Sprintf("deploy/files/%d.txt", i)] = "x"
	}
	for i := range 20_000 {
		fmt.Fprintf(&configMaps, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
	}
	kust := func(k string) map[string]string {
		return map[string]string{"deploy/kustomization.yaml": k, "deploy/web.yaml": deployment("web", "shop/web")}
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"20,000 objects in a file", map[string]string{"deploy/a.yaml": configMaps.String()}, "deploy/a.yaml: more than 2000 objects, which is the limit for one service"},
		{"20,000 objects of a template", chart(map[string]string{"deploy/templates/a.yaml": "{{ range until 20000 }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c{{ . }}}\n{{ end }}"}), "more than 2000 objects"},
		{"20,000 objects of Jsonnet", map[string]string{"deploy/main.jsonnet": "[{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'c' + i}} for i in std.range(1, 20000)]"}, "more than 2000 objects"},
		{"20,000 objects of a kustomization", map[string]string{"deploy/kustomization.yaml": "resources: [a.yaml]\n", "deploy/a.yaml": configMaps.String()}, "more than 2000 objects"},
		{"a chart of 10,000 files", many, "over the limit of 8388608 bytes in 2000 files"},
		{"an object twice in a kustomization", map[string]string{"deploy/kustomization.yaml": "resources: [a.yaml, b.yaml]\n", "deploy/a.yaml": service, "deploy/b.yaml": service}, "render deploy with kustomize"},
		{"UTF-16 with its mark", map[string]string{"deploy/a.yaml": wide(service, true)}, "deploy/a.yaml is written in UTF-16"},
		{"UTF-16 without its mark", map[string]string{"deploy/a.yaml": wide(service, false)}, "deploy/a.yaml is written in UTF-16"},
		{"UTF-16 in a kustomization", map[string]string{"deploy/kustomization.yaml": "resources: [a.yaml]\n", "deploy/a.yaml": wide(service, true)}, "deploy/a.yaml is written in UTF-16"},
		{"what is no text at all", map[string]string{"deploy/a.yaml": "a: \xff\xfa"}, "deploy/a.yaml is not UTF-8 text"},
		{"empty documents only", map[string]string{"deploy/a.yaml": "---\n---\n# nothing\n---\n"}, "holds no manifest"},
		{"something after the end of a document", map[string]string{"deploy/a.yaml": service + "...\nkind: Secret\n"}, "something follows"},
		{"a base that refers to itself", map[string]string{"deploy/kustomization.yaml": "resources: [sub]\n", "deploy/sub/kustomization.yaml": "resources: [..]\n"}, "cycle"},
		{"an alias bomb in a resource", map[string]string{"deploy/kustomization.yaml": "resources: [a.yaml]\n", "deploy/a.yaml": "apiVersion: v1\nkind: X\nmetadata: {name: x}\n" + aliases()}, "deploy"},
		{"an alias bomb in values", chart(map[string]string{"deploy/values.yaml": aliases()}), "excessive aliasing"},
		{"an alias bomb in a kustomization", kust(aliases() + "resources: [web.yaml]\n"), "excessive aliasing"},
		{"an absolute path", kust("resources: [web.yaml, /etc/hostname]\n"), "/etc/hostname, outside of the repository"},
		{"a remote base by address", kust("resources: [web.yaml, 'https://198.51.100.1/x//y?ref=main']\n"), "remote reference"},
		{"a remote base over git", kust("resources: [web.yaml, 'git::ssh://198.51.100.1/x']\n"), "remote reference"},
		{"a remote file as a resource", kust("resources: [web.yaml, 'http://198.51.100.1/x.yaml']\n"), "remote reference"},
		{"a template that writes gigabytes", chart(map[string]string{"deploy/templates/a.yaml": `{{ range until 100000 }}{{ range until 100000 }}# padding padding padding padding{{ end }}{{ end }}`}), "over the limit of 128 MiB of memory"},
		{"a list that fills the memory", chart(map[string]string{"deploy/templates/a.yaml": `{{ $x := until 2000000000 }}a: {{ len $x }}`}), "over the limit of 128 MiB of memory"},
		{"Jsonnet that fills the memory", map[string]string{"deploy/main.jsonnet": "local d(s, n) = if n == 0 then s else d(s + s, n - 1); {a: d('xxxxxxxx', 40)}"}, "over the limit of 128 MiB of memory"},
		{"a packed chart that unpacks to gigabytes", chart(map[string]string{"deploy/charts/bomb-1.0.0.tgz": bomb(t)}), "render chart deploy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			refuse := r
			if strings.Contains(c.want, "128 MiB") {
				refuse = renderer(t, render.Config{Memory: 128 << 20})
			}
			_, err := refuse.Render(t.Context(), tree(c.files), options())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v; want %q", err, c.want)
			}
			if hint.Of(err) == "" || errors.Is(err, render.ErrUnable) {
				t.Errorf("no next step, or no fault of the manifests: %v", err)
			}
		})
	}
}

// aliases are few bytes that stand for many.
func aliases() string {
	out := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		out += fmt.Sprintf("%c: &%c [*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c]\n", 'b'+i, 'b'+i, 'a'+i)
	}
	return out
}

// bomb is a gzip of zeros, many times its size.
func bomb(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	for range 300 {
		if _, err := zip.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWhatNeverEndsIsEnded(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		limit time.Duration
		want  []string // one of them: which limit is reached first depends on the machine
	}{
		{"a template", chart(map[string]string{"deploy/templates/a.yaml": `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`}), time.Second, []string{"takes longer than 1s", "of 1s of processor time"}},
		{"Jsonnet", map[string]string{"deploy/main.jsonnet": "std.foldl(function(a, b) b, std.range(1, 100000), std.foldl(function(a, i) std.length(std.range(1, 100000)), std.range(1, 100000), 0))"}, time.Second, []string{"takes longer than 1s", "of 1s of processor time", "of memory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options()
			o.Limits.Time = c.limit
			_, err := renderer(t, render.Config{}).Render(t.Context(), tree(c.files), o)
			ok := false
			for _, w := range c.want {
				ok = ok || err != nil && strings.Contains(err.Error(), w)
			}
			if !ok || hint.Of(err) == "" {
				t.Errorf("got %v (hint %q), want one of %q", err, hint.Of(err), c.want)
			}
		})
	}
}

func TestWhoAsksMayStopAsking(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := renderer(t, render.Config{}).Render(ctx, tree(chart(nil)), options())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// onDisk writes files and links into a folder, as a person has them.
func onDisk(t *testing.T, files, links map[string]string) fs.FS {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.FS()
}

func TestLinksLeadNowhereElse(t *testing.T) {
	r := renderer(t, render.Config{})
	web := deployment("web", "shop/web")
	for _, c := range []struct {
		name         string
		files, links map[string]string
		want         string // empty: it renders
	}{
		{"a link to a file of the repository is the file", map[string]string{"deploy/k.txt": "", "common/web.yaml": web}, map[string]string{"deploy/web.yaml": "../common/web.yaml"}, ""},
		{"a link out of the repository", map[string]string{"deploy/web.yaml": web}, map[string]string{"deploy/x.yaml": "/etc/hostname"}, "deploy/x.yaml is a link that goes in a circle or out of the repository"},
		{"a relative link out of the repository", map[string]string{"deploy/web.yaml": web}, map[string]string{"deploy/x.yaml": "../../../../../../etc/hostname"}, "deploy/x.yaml is a link that goes in a circle or out"},
		{"links in a circle", map[string]string{"deploy/web.yaml": web}, map[string]string{"deploy/x.yaml": "y.yaml", "deploy/y.yaml": "x.yaml"}, "is a link that goes in a circle"},
		{"a folder in itself", map[string]string{"deploy/web.yaml": web}, map[string]string{"deploy/again": "."}, "deploy/again is a link to a folder"},
		{"a link to nothing", map[string]string{"deploy/web.yaml": web}, map[string]string{"deploy/x.yaml": "gone.yaml"}, "deploy/x.yaml is a link to nothing"},
		{"a manifests folder that is a link out", nil, map[string]string{"deploy": "/etc"}, "deploy is a link that goes in a circle or out of the repository"},
		{"a chart's template that is a link out", map[string]string{"deploy/Chart.yaml": chartYAML, "deploy/templates/web.yaml": web}, map[string]string{"deploy/templates/x.yaml": "/etc/hostname"}, "deploy/templates/x.yaml is a link that goes in a circle or out"},
		{"a resource that is a link out", map[string]string{"deploy/kustomization.yaml": "resources: [x.yaml]\n"}, map[string]string{"deploy/x.yaml": "/etc/hostname"}, "deploy/x.yaml is a link that goes in a circle or out"},
		{"an import that is a link out", map[string]string{"deploy/main.jsonnet": "importstr 'x'"}, map[string]string{"deploy/x": "/etc/hostname"}, "deploy/x is a link that goes in a circle or out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Render(t.Context(), onDisk(t, c.files, c.links), options())
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("got %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("got %v; want %q", err, c.want)
			case c.want != "" && hint.Of(err) == "":
				t.Errorf("no next step in %v", err)
			}
		})
	}
}
