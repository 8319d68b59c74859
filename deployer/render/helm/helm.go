// Package helm renders a chart without Helm's program: values in a fixed order, hooks as
// phases of the sync, dependencies as they were committed.
//
// Start at Render. A cluster is never asked (lookup finds nothing), nor a name server, nor
// a registry.
package helm

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	depsutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/ignore"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/deployer/render/source"
	"github.com/seatrial/seatrial/internal/hint"
)

// Ask says what a chart is rendered for.
type Ask struct {
	Name, Namespace string            // of Helm's release
	Env             string            // values-<Env>.yaml is taken where it exists
	Params          map[string]string // values by their dotted names, above all files
	KubeVersion     string            // "v1.36.4"; default: the library's
	APIVersions     []string          // beyond the built-in ones
	Objects         int               // limit
	Bytes           int64             // limit of what templates write
}

// Render gives the objects of the chart in dir, and notes about what will not run.
func Render(ctx context.Context, files source.Files, dir string, ask Ask) ([]manifest.Document, []string, error) {
	read, err := load(files, dir)
	if err != nil {
		return nil, nil, err
	}
	first, notes, err := once(ctx, dir, read, ask)
	if err != nil {
		return nil, nil, err
	}
	again, _, err := once(ctx, dir, read, ask)
	if err != nil {
		return nil, nil, err
	}
	return first, notes, same(first, again)
}

// same refuses a chart that makes something up: what is checked and approved would not be
// what is deployed.
func same(first, again []manifest.Document) error {
	for i, d := range first {
		if i >= len(again) || !equal(d, again[i]) {
			name, _ := d.Object["kind"].(string)
			return hint.Add(fmt.Errorf("%s: %s comes out different each time the chart is rendered", d.File, name),
				"give the value that the template would make up (random, now, genCA, …) in values-ENV.yaml, or name an existing Secret")
		}
	}
	return nil
}

func equal(a, b manifest.Document) bool {
	x, errX := manifest.Encode([]manifest.Document{a})
	y, errY := manifest.Encode([]manifest.Document{b})
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// once loads and renders: the library changes a chart while it renders it.
func once(ctx context.Context, dir string, read []*archive.BufferedFile, ask Ask) ([]manifest.Document, []string, error) {
	var copied []*archive.BufferedFile
	for _, f := range read {
		copied = append(copied, &archive.BufferedFile{Name: f.Name, Data: f.Data})
	}
	chart, err := loader.LoadFiles(copied)
	if err != nil {
		return nil, nil, explain(dir, err)
	}
	if err := vendored(dir, chart); err != nil {
		return nil, nil, err
	}
	values, err := values(dir, read, ask)
	if err != nil {
		return nil, nil, err
	}
	caps, err := capabilities(dir, chart, ask)
	if err != nil {
		return nil, nil, err
	}
	if err := depsutil.ProcessDependencies(chart, values); err != nil {
		return nil, nil, explain(dir, err)
	}
	release := common.ReleaseOptions{Name: ask.Name, Namespace: ask.Namespace, Revision: 1, IsInstall: true}
	vals, err := chartutil.ToRenderValuesWithSchemaValidation(chart, values, release, caps, true)
	if err != nil {
		return nil, nil, explain(dir, err)
	}
	if err := fit(chart, vals["Values"]); err != nil {
		return nil, nil, hint.Add(fmt.Errorf("chart %s: values do not fit values.schema.json: %w", dir, err), "correct the values file or the environment's params")
	}
	rendered, err := engine.Engine{}.RenderWithContext(ctx, chart, vals)
	if err != nil {
		return nil, nil, explain(dir, err)
	}
	return documents(dir, chart, rendered, ask)
}

// load reads the chart's files as `helm package` would take them.
func load(files source.Files, dir string) ([]*archive.BufferedFile, error) {
	rules, err := ignored(files, dir)
	if err != nil {
		return nil, err
	}
	rel := func(name string) string { return strings.TrimPrefix(strings.TrimPrefix(name, dir), "/") }
	if dir == "." {
		rel = func(name string) string { return name }
	}
	var read []*archive.BufferedFile
	err = source.Walk(files, dir, func(name string, e source.Entry) bool { return rules.Ignore(rel(name), info{e}) }, func(name string) error {
		data, err := files.Read(name)
		if err != nil {
			return err
		}
		switch path.Ext(name) {
		case ".yaml", ".yml", ".tpl", ".json":
			if data, err = manifest.Text(name, data); err != nil {
				return err
			}
		}
		read = append(read, &archive.BufferedFile{Name: rel(name), Data: data})
		return nil
	})
	return read, err
}

func ignored(files source.Files, dir string) (*ignore.Rules, error) {
	rules := ignore.Empty()
	name := path.Join(dir, ignore.HelmIgnore)
	switch found, err := source.IsFile(files, name); {
	case err != nil:
		return nil, err
	case found:
		data, err := files.Read(name)
		if err != nil {
			return nil, err
		}
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, hint.Add(fmt.Errorf("%s: %w", name, err), "correct the pattern")
		}
	}
	rules.AddDefaults()
	return rules, nil
}

// values are those of the environment's file with the params on top; the chart's own
// values.yaml lies below both.
func values(dir string, read []*archive.BufferedFile, ask Ask) (map[string]any, error) {
	values := map[string]any{}
	for _, f := range read {
		if ask.Env != "" && f.Name == "values-"+ask.Env+".yaml" {
			if err := yaml.Unmarshal(f.Data, &values); err != nil {
				return nil, manifest.NotYAML(path.Join(dir, f.Name), 1, err)
			}
		}
	}
	if values == nil {
		values = map[string]any{} // the file is empty
	}
	for name, value := range ask.Params {
		set(values, strings.Split(name, "."), scalar(value))
	}
	return values, nil
}

// set replaces what stands in the way of a dotted name.
func set(in map[string]any, name []string, value any) {
	for _, part := range name[:len(name)-1] {
		below, ok := in[part].(map[string]any)
		if !ok {
			below = map[string]any{}
			in[part] = below
		}
		in = below
	}
	in[name[len(name)-1]] = value
}

// scalar reads a value as a values file would without quotes: 3 is a number, true a truth.
func scalar(text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return text
	}
	switch v := v.(type) {
	case bool:
		return v
	case float64:
		if v == float64(int64(v)) && fmt.Sprint(int64(v)) == text {
			return int64(v)
		}
		if fmt.Sprint(v) == text {
			return v
		}
	}
	return text // 1.10 and 007 are versions and numbers of something, not quantities
}

func capabilities(dir string, chart *v2.Chart, ask Ask) (*common.Capabilities, error) {
	caps := common.DefaultCapabilities.Copy()
	if ask.KubeVersion != "" {
		v, err := common.ParseKubeVersion(ask.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("kubernetes version %q: %w", ask.KubeVersion, err)
		}
		caps.KubeVersion = *v
	}
	caps.APIVersions = append(slices.Clone(caps.APIVersions), ask.APIVersions...)
	if want := chart.Metadata.KubeVersion; want != "" && !depsutil.IsCompatibleRange(want, caps.KubeVersion.String()) {
		return nil, hint.Add(fmt.Errorf("chart %s is for Kubernetes %s, not for %s", dir, want, caps.KubeVersion.String()), "take another version of the chart")
	}
	return caps, nil
}

func explain(dir string, err error) error {
	return hint.Add(fmt.Errorf("render chart %s: %s", dir, manifest.OneLine(err)), "`helm template "+dir+"` shows the same")
}
