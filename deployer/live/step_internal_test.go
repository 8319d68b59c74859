package live

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	enginesync "github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// thing is a ConfigMap with some annotations of Argo CD: "wave=1 hook=PreSync".
func thing(name, notes string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	o.SetName(name)
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		o.SetName("")
		o.SetGenerateName(prefix)
	}
	o.SetNamespace("shop")
	all := map[string]string{}
	for pair := range strings.FieldsSeq(notes) {
		key, value, _ := strings.Cut(pair, "=")
		key = map[string]string{"wave": common.AnnotationSyncWave, "hook": common.AnnotationKeyHook, "policy": common.AnnotationKeyHookDeletePolicy,
			"options": common.AnnotationSyncOptions, "for": RevisionAnnotation}[key]
		all[key] = value
	}
	o.SetAnnotations(all)
	return o
}

// scene is a target with what is there: "same", "other" or nothing.
type scene struct {
	targets []struct {
		o     *unstructured.Unstructured
		state string
	}
	hooks, extra []*unstructured.Unstructured
}

func (s scene) with(o *unstructured.Unstructured, state string) scene {
	s.targets = append(slices.Clone(s.targets), struct {
		o     *unstructured.Unstructured
		state string
	}{o, state})
	return s
}

func (s scene) hooked(wanted, live *unstructured.Unstructured) scene {
	s.hooks = append(slices.Clone(s.hooks), wanted)
	if live != nil {
		s.extra = append(slices.Clone(s.extra), live)
	}
	return s
}

func (s scene) without(live *unstructured.Unstructured) scene {
	s.extra = append(slices.Clone(s.extra), live)
	return s
}

func (s scene) result() (enginesync.ReconciliationResult, func(int) bool) {
	r := enginesync.ReconciliationResult{Hooks: s.hooks}
	for _, t := range s.targets {
		r.Target = append(r.Target, t.o)
		live := t.o
		if t.state == "" {
			live = nil
		}
		r.Live = append(r.Live, live)
	}
	for _, o := range s.extra {
		r.Target, r.Live = append(r.Target, nil), append(r.Live, o)
	}
	return r, func(i int) bool { return i < len(s.targets) && s.targets[i].state == "other" }
}

func TestDone(t *testing.T) {
	pre, preThere := thing("pre", "hook=PreSync"), thing("pre", "hook=PreSync for=r1")
	post := thing("post", "hook=PostSync")
	fails := thing("mail", "hook=SyncFail")
	for _, c := range []struct {
		name string
		s    scene
		want []string
	}{
		{"nothing is done before the first step", scene{}.with(thing("a", ""), "").with(thing("b", "wave=1"), ""), nil},
		{"an earlier wave that is as wanted is waited for", scene{}.with(thing("a", ""), "same").with(thing("b", "wave=1"), "other"), []string{"a Sync Running"}},
		{"a later wave that is as wanted is not: what comes first may mend it", scene{}.with(thing("a", ""), "other").with(thing("b", "wave=1"), "same"), nil},
		{"nor one of the same wave", scene{}.with(thing("a", ""), "other").with(thing("b", ""), "same"), nil},
		{"all are waited for when nothing is left to apply", scene{}.with(thing("a", ""), "same").with(thing("b", "wave=1"), "same"), []string{"a Sync Running", "b Sync Running"}},
		{"no object is waited for before a hook that comes first", scene{}.with(thing("a", ""), "same").hooked(pre, nil), nil},
		{"once it has run, they are", scene{}.with(thing("a", ""), "same").hooked(pre, preThere), []string{"a Sync Running", "pre PreSync Running"}},
		{"a hook of another revision has not run", scene{}.hooked(pre, thing("pre", "hook=PreSync for=r0")), nil},
		{"a hook with a generated name is found again", scene{}.with(thing("a", ""), "same").hooked(thing("pre-*", "hook=PreSync"), func() *unstructured.Unstructured {
			o := thing("pre-r1-presync-1", "hook=PreSync for=r1")
			o.SetGenerateName("pre-")
			return o
		}()), []string{"a Sync Running", "pre-r1-presync-1 PreSync Running"}},
		{"a hook of the phase Sync holds up what comes after it", scene{}.with(thing("a", ""), "same").with(thing("b", "wave=2"), "same").hooked(thing("mid", "hook=Sync wave=1"), nil), []string{"a Sync Running"}},
		{"a hook after the sync waits for every object", scene{}.with(thing("a", ""), "same").with(thing("b", "wave=2"), "same").hooked(post, nil), []string{"a Sync Running", "b Sync Running"}},
		{"a hook that failed and was deleted for it does not run again", scene{}.hooked(thing("pre", "hook=PreSync policy=HookFailed"), nil).hooked(fails, thing("mail", "hook=SyncFail for=r1")),
			[]string{"mail SyncFail Running", "pre PreSync Failed"}},
		{"one that is kept is seen as it is", scene{}.hooked(pre, preThere).hooked(fails, thing("mail", "hook=SyncFail for=r1")), []string{"pre PreSync Running", "mail SyncFail Running"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, modified := c.s.result()
			var got []string
			for _, d := range done(r, modified, "r1") {
				got = append(got, fmt.Sprintf("%s %s %s", d.ResourceKey.Name, d.SyncPhase, d.HookPhase))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestIsStepwise(t *testing.T) {
	for _, c := range []struct {
		name string
		s    scene
		want bool
	}{
		{"one wave", scene{}.with(thing("a", ""), "same").with(thing("b", ""), ""), false},
		{"two waves", scene{}.with(thing("a", ""), "same").with(thing("b", "wave=1"), ""), true},
		{"a hook", scene{}.with(thing("a", ""), "same").hooked(thing("pre", "hook=PreSync"), nil), true},
		{"something that goes", scene{}.with(thing("a", ""), "same").without(thing("b", "")), false},
		{"something that goes last", scene{}.with(thing("a", ""), "same").without(thing("b", "options=PruneLast=true")), true},
		{"an old hook on the cluster", scene{}.with(thing("a", ""), "same").without(thing("pre", "hook=PreSync")), false},
	} {
		if r, _ := c.s.result(); isStepwise(r) != c.want {
			t.Errorf("%s: %v", c.name, !c.want)
		}
	}
}
