package policies

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// pod is a pod, or a template of one, inside an object.
type pod struct {
	owner object
	path  string // "spec.template", empty for a Pod itself
	meta  metav1.ObjectMeta
	spec  corev1.PodSpec
}

// templatePath is where Kubernetes' own kinds keep their pod.
func (o object) templatePath() (path []string, has bool) {
	switch {
	case o.is("", "Pod"):
		return nil, true
	case o.is("", "PodTemplate"):
		return []string{"template"}, true
	case o.is("", "ReplicationController"), o.is("apps", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"), o.is("batch", "Job"):
		return []string{"spec", "template"}, true
	case o.is("batch", "CronJob"):
		return []string{"spec", "jobTemplate", "spec", "template"}, true
	}
	return nil, false
}

// custom reports whether the object is of a kind that Kubernetes does not come with.
func (o object) custom() bool {
	return !slices.Contains(namespaced()[o.group], o.kind) && !slices.Contains(clusterWide()[o.group], o.kind)
}

// extract finds every pod inside the object. What cannot be read is a problem, and so,
// for review, is a pod inside a kind that nobody has reviewed.
func extract(o object, reviewed []string) ([]pod, []Problem) {
	if path, has := o.templatePath(); has {
		p, err := readTemplate(o, path)
		if err != nil {
			return nil, []Problem{{Policy: ruleObjects, Object: o.String(), Why: err.Error(), Fix: "correct the pod's fields; kubectl explain names them"}}
		}
		return []pod{p}, nil
	}
	if !o.custom() {
		return nil, nil
	}
	return searchPods(o, reviewed)
}

func readTemplate(o object, path []string) (pod, error) {
	at, p := o.body, pod{owner: o, path: strings.Join(path, ".")}
	for i, key := range path {
		inner, ok := at[key].(map[string]any)
		if !ok {
			return p, fmt.Errorf("%s is missing or is not an object", strings.Join(path[:i+1], "."))
		}
		at = inner
	}
	spec, ok := at["spec"].(map[string]any)
	if !ok {
		return p, fmt.Errorf("%s is missing or is not an object", join(p.path, "spec"))
	}
	if strict, err := readInto(spec, &p.spec); err != nil {
		return p, fmt.Errorf("%s does not read as a pod: %s", join(p.path, "spec"), clip(err.Error(), maxText))
	} else if len(strict) > 0 {
		return p, fmt.Errorf("%s: %s", join(p.path, "spec"), clip(fmt.Sprint(strict), maxText))
	}
	if meta, ok := at["metadata"].(map[string]any); ok {
		if _, err := readInto(meta, &p.meta); err != nil {
			return p, fmt.Errorf("%s does not read as metadata: %s", join(p.path, "metadata"), clip(err.Error(), maxText))
		}
	}
	return p, nil
}

// searchPods looks for whatever resembles a pod in a kind that we do not know.
func searchPods(o object, reviewed []string) ([]pod, []Problem) {
	var pods []pod
	var problems []Problem
	known := slices.Contains(reviewed, o.qualified())
	found := func(path string, meta any, spec map[string]any) {
		p := pod{owner: o, path: path}
		_, err := readInto(spec, &p.spec)
		if m, ok := meta.(map[string]any); ok && err == nil {
			_, err = readInto(m, &p.meta)
		}
		if err == nil {
			pods = append(pods, p)
		}
		if why := fmt.Sprintf("kind %s is not one of Kubernetes' own and has a pod at %s", o.qualified(), path); err != nil || !known {
			if err != nil {
				why += ", which does not read as one"
			}
			problems = append(problems, Problem{Policy: ruleObjects, Object: o.String(), Review: true, Why: clip(why, maxText),
				Fix: fmt.Sprintf("look at what %s does with the pod, then add %q to the annotation %s of the environment", o.kind, o.qualified(), ReviewedKinds)})
		}
	}
	if podLike(o.body) {
		found("the top", o.body["metadata"], o.body)
	}
	each(o.body, "", func(path string, m map[string]any) {
		for _, key := range keys(m) {
			spec, ok := m[key].(map[string]any)
			if !ok || !podLike(spec) {
				continue
			}
			var meta any
			if key == "spec" {
				meta = m["metadata"]
			}
			found(join(path, key), meta, spec)
		}
	})
	return pods, problems
}

// podLike reports whether a map has a list of containers.
func podLike(m map[string]any) bool {
	for _, key := range []string{"containers", "initContainers", "ephemeralContainers"} {
		list, _ := m[key].([]any)
		for _, item := range list {
			if _, ok := item.(map[string]any); ok {
				return true
			}
		}
	}
	return false
}

// readInto reads as the API server does: letter case counts, and fields that the type
// does not have are told.
func readInto(m map[string]any, out any) (strict []error, err error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return kjson.UnmarshalStrict(text, out)
}

// checkObjects finds the pods of all objects and what nobody can judge.
func checkObjects(all []object, unreadable []Problem, reviewed []string) ([]pod, result) {
	res := result{policy: ruleObjects, claim: "every object can be read and judged", problems: unreadable}
	var pods []pod
	for _, o := range all {
		found, problems := extract(o, reviewed)
		pods, res.problems = append(pods, found...), append(res.problems, problems...)
	}
	return pods, res
}

// checkBare refuses pods that nothing restarts elsewhere.
func checkBare(all []object) result {
	res := result{policy: NoBarePods, claim: "every pod has a controller"}
	for _, o := range all {
		if o.is("", "Pod") {
			res.problems = append(res.problems, Problem{Policy: NoBarePods, Object: o.String(),
				Why: "a bare Pod is gone when its node is", Fix: "make it a Deployment, a StatefulSet, a DaemonSet or a Job"})
		}
	}
	return res
}
