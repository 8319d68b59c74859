package helm

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/deployer/render/source"
)

// documents are the objects that the templates wrote, and those of crds folders.
func documents(dir string, chart *v2.Chart, rendered map[string]string, ask Ask) (docs []manifest.Document, notes []string, err error) {
	names := make([]string, 0, len(rendered))
	size := int64(0)
	for n, text := range rendered {
		size += int64(len(text))
		names = append(names, n)
	}
	if size > ask.Bytes {
		return nil, nil, source.TooBig(dir, source.Limits{Bytes: ask.Bytes, Files: len(rendered)})
	}
	slices.Sort(names)
	add := func(file string, data []byte) error {
		more, err := manifest.Split(path.Join(dir, file), data, ask.Objects)
		for _, d := range more {
			note, keep := phase(d.Object)
			if note != "" {
				notes = append(notes, fmt.Sprintf("%s: %s", d.File, note))
			}
			if keep {
				docs = append(docs, d)
			}
		}
		return err
	}
	for _, crd := range chart.CRDObjects() {
		_, file, _ := strings.Cut(crd.Filename, "/")
		if err := add(file, crd.File.Data); err != nil {
			return nil, nil, err
		}
	}
	for _, n := range names {
		if path.Base(n) == "NOTES.txt" || strings.TrimSpace(rendered[n]) == "" {
			continue
		}
		_, file, _ := strings.Cut(n, "/") // without the chart's name
		if err := add(file, []byte(rendered[n])); err != nil {
			return nil, nil, err
		}
	}
	return docs, notes, nil
}

// The annotations of hooks, Helm's and those that the sync goes by.
const (
	hookKey   = "helm.sh/hook"
	weightKey = "helm.sh/hook-weight"
	deleteKey = "helm.sh/hook-delete-policy"

	syncHook   = "argocd.argoproj.io/hook"
	syncWave   = "argocd.argoproj.io/sync-wave"
	syncDelete = "argocd.argoproj.io/hook-delete-policy"
)

var phases = map[string]string{"pre-install": "PreSync", "pre-upgrade": "PreSync", "post-install": "PostSync", "post-upgrade": "PostSync"}

var policies = map[string]string{"before-hook-creation": "BeforeHookCreation", "hook-succeeded": "HookSucceeded", "hook-failed": "HookFailed"}

// phase writes a Helm hook as a hook of the sync, so that git says what will run when. Hooks
// of moments that a sync does not have are taken out, and the note says so.
func phase(obj map[string]any) (note string, keep bool) {
	meta, _ := obj["metadata"].(map[string]any)
	notes, _ := meta["annotations"].(map[string]any)
	hook, _ := notes[hookKey].(string)
	if hook == "" || hook == "crd-install" {
		return "", true
	}
	var when, never []string
	for h := range strings.SplitSeq(hook, ",") {
		h = strings.TrimSpace(h)
		switch p := phases[h]; {
		case p == "":
			never = append(never, h)
		case !slices.Contains(when, p):
			when = append(when, p)
		}
	}
	if len(never) > 0 {
		note = fmt.Sprintf("%v %v is a hook for %s, which never runs here", obj["kind"], meta["name"], strings.Join(never, ", "))
	}
	if len(when) == 0 {
		return note, false
	}
	notes[syncHook] = strings.Join(when, ",")
	if weight, ok := notes[weightKey].(string); ok {
		notes[syncWave] = weight
	}
	if list, ok := notes[deleteKey].(string); ok {
		var kept []string
		for p := range strings.SplitSeq(list, ",") {
			if to := policies[strings.TrimSpace(p)]; to != "" {
				kept = append(kept, to)
			}
		}
		notes[syncDelete] = strings.Join(kept, ",")
	}
	for _, k := range []string{hookKey, weightKey, deleteKey} {
		delete(notes, k)
	}
	return note, true
}

func asMap(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return v
	case interface{ AsMap() map[string]any }:
		return v.AsMap()
	}
	return nil
}
