package render

import (
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
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/internal/hint"
)

// helm renders a chart with its values.yaml and, on top, values-<env>.yaml. A zero engine
// has no cluster to look things up in and asks no name server.
func helm(ctx context.Context, src *source, dir string, o Options) ([]document, error) {
	var files []*archive.BufferedFile
	values := map[string]any{}
	err := src.walk(dir, func(name string, data []byte) error {
		rel := strings.TrimPrefix(name, dir+"/")
		if dir == "." {
			rel = name
		}
		if rel == "values-"+string(o.Env)+".yaml" {
			if err := yaml.Unmarshal(data, &values); err != nil {
				return notYAML(name, 1, err)
			}
		}
		files = append(files, &archive.BufferedFile{Name: rel, Data: data})
		return nil
	})
	if err != nil {
		return nil, err
	}
	chart, err := loader.LoadFiles(files)
	if err != nil {
		return nil, helmError(dir, err)
	}
	if err := vendored(dir, chart); err != nil {
		return nil, err
	}
	if err := depsutil.ProcessDependencies(chart, values); err != nil {
		return nil, helmError(dir, err)
	}
	caps, err := capabilities(o)
	if err != nil {
		return nil, err
	}
	vals, err := chartutil.ToRenderValues(chart, values, common.ReleaseOptions{Name: o.Service.Name(), Namespace: o.Namespace, Revision: 1, IsInstall: true}, caps)
	if err != nil {
		return nil, helmError(dir, err)
	}
	rendered, err := engine.Engine{Strict: true}.RenderWithContext(ctx, chart, vals)
	if err != nil {
		return nil, helmError(dir, err)
	}
	return helmDocs(dir, chart, rendered, o)
}

func helmDocs(dir string, chart *v2.Chart, rendered map[string]string, o Options) ([]document, error) {
	names := make([]string, 0, len(rendered))
	size := int64(0)
	for n, text := range rendered {
		if size += int64(len(text)); size > o.Limits.Bytes {
			return nil, tooBig(dir, o.Limits)
		}
		names = append(names, n)
	}
	slices.Sort(names)
	var docs []document
	for _, crd := range chart.CRDObjects() {
		more, err := split(path.Join(dir, crd.Filename), crd.File.Data, o.Limits.Objects)
		if err != nil {
			return nil, err
		}
		docs = append(docs, more...)
	}
	for _, n := range names {
		if path.Base(n) == "NOTES.txt" || strings.TrimSpace(rendered[n]) == "" {
			continue
		}
		_, file, _ := strings.Cut(n, "/") // without the chart's name
		more, err := split(path.Join(dir, file), []byte(rendered[n]), o.Limits.Objects)
		if err != nil {
			return nil, err
		}
		for _, d := range more {
			if !isTest(d.obj) {
				docs = append(docs, d)
			}
		}
	}
	return docs, nil
}

// isTest reports whether an object belongs to `helm test` or to another moment that only
// Helm itself knows.
func isTest(obj map[string]any) bool {
	meta, _ := obj["metadata"].(map[string]any)
	notes, _ := meta["annotations"].(map[string]any)
	hook, _ := notes["helm.sh/hook"].(string)
	if hook == "" {
		return false
	}
	for _, h := range strings.Split(hook, ",") {
		switch strings.TrimSpace(h) {
		case "pre-install", "pre-upgrade", "post-install", "post-upgrade", "crd-install":
			return false
		}
	}
	return true
}

// vendored demands that every chart the chart depends on lies in its charts folder.
func vendored(dir string, chart *v2.Chart) error {
	have := map[string]bool{}
	for _, d := range chart.Dependencies() {
		have[d.Name()] = true
	}
	for _, d := range chart.Metadata.Dependencies {
		if !have[d.Name] {
			return hint.Add(fmt.Errorf("chart %s depends on %s, which is not in its charts folder", dir, d.Name), "run: helm dependency build "+dir+", and commit charts/")
		}
	}
	return nil
}

func capabilities(o Options) (*common.Capabilities, error) {
	caps := common.DefaultCapabilities.Copy()
	if o.KubeVersion != "" {
		v, err := common.ParseKubeVersion(o.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("kubernetes version %q: %w", o.KubeVersion, err)
		}
		caps.KubeVersion = *v
	}
	caps.APIVersions = append(slices.Clone(caps.APIVersions), o.APIVersions...)
	return caps, nil
}

func helmError(dir string, err error) error {
	return hint.Add(fmt.Errorf("render chart %s: %s", dir, oneLine(err)), "`helm template "+dir+"` shows the same")
}
