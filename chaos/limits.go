package chaos

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/release"
)

// Defaults of release.Limits, and what no limit may exceed.
const (
	defaultMaxTargets  = 1
	defaultMaxPercent  = 50
	defaultMaxDuration = 5 * time.Minute
	defaultMinReady    = 2
	ceilingDuration    = time.Hour
	minLasting         = 10 * time.Second // shorter faults end before anything can be measured
)

// Protected reports whether a namespace is never touched, whatever an experiment says.
func Protected(namespace string) bool {
	switch namespace {
	case "kube-system", "kube-public", "kube-node-lease", "chaos-mesh", "chaos-testing",
		"monitoring", "cert-manager", "argocd", "flux-system", "istio-system", "seatrial":
		return true
	}
	return strings.HasPrefix(namespace, "kube-") || strings.HasPrefix(namespace, "seatrial-")
}

// WithDefaults fills in what limits leave out.
func WithDefaults(l release.Limits) release.Limits {
	if l.MaxTargets == 0 {
		l.MaxTargets = defaultMaxTargets
	}
	if l.MaxPercent == 0 {
		l.MaxPercent = defaultMaxPercent
	}
	if l.MaxDuration == 0 {
		l.MaxDuration = release.Duration(defaultMaxDuration)
	}
	if l.MinReady == 0 {
		l.MinReady = defaultMinReady
	}
	return l
}

// Check is everything that can be refused before a cluster is asked; nil when nothing is.
// allowed are the namespaces of the service's project.
func Check(spec release.ExperimentSpec, allowed []string) error {
	f, l := spec.Fault, WithDefaults(spec.Limits)
	kind, action, err := faults.Of(f)
	if err != nil {
		return err
	}
	if _, err := action.Values(f.With); err != nil {
		return fmt.Errorf("%s %s: %w", f.Kind, f.Action, err)
	}
	switch {
	case action.NeedsContainer && f.Container == "":
		return fmt.Errorf("%s needs the name of a container", f.Action)
	case f.Container != "" && !kind.Container:
		return fmt.Errorf("%s hits whole pods: it takes no container", f.Kind)
	case len(f.Selector.MatchLabels) == 0:
		return fmt.Errorf("the selector is empty: it would hit any pod of namespace %s", f.Namespace)
	case f.Namespace == "":
		return fmt.Errorf("the fault has no namespace")
	case Protected(f.Namespace):
		return fmt.Errorf("namespace %s is protected", f.Namespace)
	case !slices.Contains(allowed, f.Namespace):
		return fmt.Errorf("namespace %s is not one of the project's: %s", f.Namespace, strings.Join(allowed, ", "))
	case f.Duration.Std() < time.Second:
		return fmt.Errorf("the fault needs a duration of at least 1s: it is what ends it when nobody else can")
	case f.Duration > l.MaxDuration || f.Duration.Std() > ceilingDuration:
		return fmt.Errorf("duration %s is longer than the limit of %s", f.Duration.Std(), min(l.MaxDuration.Std(), ceilingDuration))
	case !action.OneShot && f.Duration.Std() < minLasting:
		return fmt.Errorf("duration %s of %s is too short to measure: want at least %s", f.Duration.Std(), f.Action, minLasting)
	case l.MaxPercent < 0 || l.MaxPercent > 100 || l.MaxTargets < 0 || l.MinReady < 0:
		return fmt.Errorf("a limit is out of range: maxPercent 0..100, maxTargets and minReady not negative")
	}
	if in, ok := f.With[action.PeerNamespace].(string); ok && action.Peer != "" && !slices.Contains(allowed, in) {
		return fmt.Errorf("namespace %s of the other end is not one of the project's: %s", in, strings.Join(allowed, ", "))
	}
	_, err = wanted(f, 1)
	return err
}

// wanted is how many of n pods a fault's mode means.
func wanted(f release.Fault, n int) (int, error) {
	value, err := strconv.Atoi(strings.TrimSuffix(f.Value, "%"))
	switch f.Mode {
	case "", "one":
		return 1, nil
	case "all":
		return n, nil
	case "fixed":
		if err != nil || value < 1 || strings.HasSuffix(f.Value, "%") {
			return 0, fmt.Errorf("mode fixed: value %q: want a number of pods", f.Value)
		}
		return value, nil
	case "fixed-percent":
		if err != nil || value < 1 || value > 100 {
			return 0, fmt.Errorf("mode fixed-percent: value %q: want 1 to 100", f.Value)
		}
		return n * value / 100, nil
	}
	return 0, fmt.Errorf("mode %q is not supported: want one, all, fixed or fixed-percent", f.Mode)
}

// Exceeds says that things are not what the limits ask for.
type Exceeds struct {
	Reason string
	Final  bool // it does not pass with time
}

// Error is the reason.
func (e *Exceeds) Error() string { return e.Reason }

// Choose picks a fault's targets among the pods that its selector matches, at random but
// the same ones for the same run; none when the fault is of something they all share.
// *Exceeds: not within the limits now.
func Choose(spec release.ExperimentSpec, pods []Pod, run string) ([]Pod, error) {
	f, l := spec.Fault, WithDefaults(spec.Limits)
	if len(pods) == 0 {
		return nil, &Exceeds{Reason: fmt.Sprintf("no target: no pod of namespace %s matches %s", f.Namespace, pairs(f.Selector.MatchLabels))}
	}
	var ready []Pod
	for _, p := range pods {
		if p.Ready {
			ready = append(ready, p)
		}
	}
	if len(ready) < l.MinReady {
		return nil, &Exceeds{Reason: fmt.Sprintf("%d of %d pods are ready, the limit asks for %d before anything is broken", len(ready), len(pods), l.MinReady)}
	}
	if kind, _ := faults.Find(f.Kind); kind.Shared {
		return nil, nil
	}
	n, err := wanted(f, len(pods))
	if err != nil {
		return nil, err
	}
	switch {
	case n == 0:
		return nil, &Exceeds{Reason: fmt.Sprintf("no target: %s %% of %d pods is none", strings.TrimSuffix(f.Value, "%"), len(pods))}
	case n > len(ready):
		return nil, &Exceeds{Reason: fmt.Sprintf("%d pods are to be hit and %d are ready", n, len(ready))}
	case n > l.MaxTargets:
		return nil, &Exceeds{Reason: fmt.Sprintf("%d pods are to be hit, the limit is %d", n, l.MaxTargets)}
	case n*100 > l.MaxPercent*len(pods):
		return nil, &Exceeds{Reason: fmt.Sprintf("%d of %d pods are to be hit, the limit is %d %%", n, len(pods), l.MaxPercent)}
	}
	slices.SortFunc(ready, func(a, b Pod) int { return strings.Compare(order(run, a), order(run, b)) })
	return ready[:n], budgets(f, ready[:n])
}

// budgets refuses to take more pods away than a PodDisruptionBudget of theirs allows.
func budgets(f release.Fault, targets []Pod) error {
	if _, action, err := faults.Of(f); err != nil || !action.Disrupts {
		return err
	}
	hit := map[string]int{}
	for _, p := range targets {
		for name := range p.Budgets {
			hit[name]++
		}
	}
	for _, p := range targets {
		for name, allowed := range p.Budgets {
			if hit[name] > allowed {
				return &Exceeds{Reason: fmt.Sprintf("PodDisruptionBudget %s lets %d pods go now, %d are to be hit", name, allowed, hit[name])}
			}
		}
	}
	return nil
}

// Consents reads a namespace's label: nothing is broken in one that refuses, nor, where
// the cluster asks for consent, in one that does not say so.
func Consents(namespace string, labels map[string]string, asked bool) error {
	switch said := labels[LabelChaos]; {
	case said == "refused":
		return &Exceeds{Reason: fmt.Sprintf("namespace %s refuses faults: it is labelled %s: refused", namespace, LabelChaos), Final: true}
	case asked && said != "allowed":
		return &Exceeds{Reason: fmt.Sprintf("namespace %s has not agreed to faults: the cluster wants the label %s: allowed", namespace, LabelChaos), Final: true}
	}
	return nil
}

func order(run string, p Pod) string {
	sum := sha256.Sum256([]byte(run + "\x00" + p.UID))
	return string(sum[:])
}

func pairs(labels map[string]string) string {
	all := make([]string, 0, len(labels))
	for k, v := range labels {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}
