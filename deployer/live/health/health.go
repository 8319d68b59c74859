// Package health says how objects are doing of which the engine has no opinion, or
// another one: by CEL expressions of the environment, as Flux has them, and by health.lua
// scripts of the platform repo, as Argo CD has them.
//
// Start at Compile. It never reaches for a file, the network or the environment, and
// neither a script nor an expression runs for longer than its limits allow.
package health

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Checks is how healthy objects of some kinds are. It is the engine's HealthOverride, is
// never changed and is safe for concurrent use.
type Checks struct {
	exprs   map[schema.GroupKind]*expressions
	scripts []script // in the order in which they are tried: exact names first
}

// Compile reads health scripts by their place, "cert-manager.io/Certificate/health.lua",
// and expressions. Every mistake is reported.
func Compile(scripts map[string]string, exprs []release.HealthExpr) (*Checks, error) {
	c := &Checks{exprs: map[schema.GroupKind]*expressions{}}
	var all []error
	for _, place := range slices.Sorted(maps.Keys(scripts)) {
		s, err := compileScript(place, scripts[place])
		all = append(all, err)
		c.scripts = append(c.scripts, s)
	}
	slices.SortStableFunc(c.scripts, func(a, b script) int { return a.wild() - b.wild() })
	for i, e := range exprs {
		gv, err := schema.ParseGroupVersion(e.APIVersion)
		if err != nil || e.Kind == "" || e.APIVersion == "" {
			all = append(all, hint.Add(fmt.Errorf("healthCheckExprs[%d]: %q %q is no kind", i, e.APIVersion, e.Kind), "write apiVersion: cert-manager.io/v1 and kind: Certificate"))
			continue
		}
		x, err := compileExpressions(e)
		if err != nil {
			all = append(all, fmt.Errorf("healthCheckExprs[%d]: %w", i, err))
		}
		c.exprs[schema.GroupKind{Group: gv.Group, Kind: e.Kind}] = x
	}
	return c, errors.Join(all...)
}

// GetResourceHealth is the opinion of the expressions, else of a script; nil when neither
// has one. An opinion on an older generation is no opinion: such an object is on its way.
func (c *Checks) GetResourceHealth(o *unstructured.Unstructured) (*health.HealthStatus, error) {
	gk := o.GroupVersionKind().GroupKind()
	var ask func(*unstructured.Unstructured) (*health.HealthStatus, error)
	if x := c.exprs[gk]; x != nil {
		ask = x.ask
	} else if i := slices.IndexFunc(c.scripts, func(s script) bool { return s.fits(gk) }); i >= 0 {
		ask = c.scripts[i].ask
	} else {
		return nil, nil
	}
	observed, found, err := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	if err == nil && found && observed < o.GetGeneration() {
		return &health.HealthStatus{Status: health.HealthStatusProgressing, Message: "its controller has not seen the change yet"}, nil
	}
	return ask(o)
}

// place is where a script lies: the names of group and kind, "_" for any run of letters.
type place struct{ group, kind string }

func placeOf(file string) (place, error) {
	dir, name := path.Split(file)
	parts := strings.Split(strings.Trim(dir, "/"), "/")
	if name != "health.lua" || len(parts) > 2 || parts[0] == "" {
		return place{}, hint.Add(fmt.Errorf("health/%s: not a place for a health script", file), "want health/GROUP/KIND/health.lua, and health/KIND/health.lua for the core group")
	}
	if len(parts) == 1 {
		return place{"", parts[0]}, nil
	}
	return place{parts[0], parts[1]}, nil
}

// wild counts what is not named.
func (p place) wild() int { return strings.Count(p.group, "_") + strings.Count(p.kind, "_") }

func (p place) fits(gk schema.GroupKind) bool {
	return like(p.group, gk.Group) && like(p.kind, gk.Kind)
}

// like matches "_.crossplane.io" with "aws.crossplane.io".
func like(pattern, s string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "_", "*"), s)
	return err == nil && ok
}
