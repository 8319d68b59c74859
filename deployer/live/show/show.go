// Package show makes text of objects for people.
//
// Start at Diff. It never shows what a Secret holds, nor more than its limits.
package show

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/pmezard/go-difflib/difflib"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Of one object.
const (
	maxText  = 64 << 10
	maxLines = 20_000
)

// content is the annotation that holds an object's digest: whatever else changes, it does.
const content = "seatrial.dev/content"

// Diff is the difference between two states of an object, of which one may be nil, as a
// person reads it: without what the cluster keeps for itself, and with secrets masked.
func Diff(before, after *unstructured.Unstructured) (string, error) {
	if isSecret(before) || isSecret(after) {
		var err error
		if after, before, err = diff.HideSecretData(after, before, nil); err != nil {
			return "", errors.New("the Secret cannot be masked, so it is not shown")
		}
	}
	text, err := unified(before, after, content)
	if err == nil && text == "" {
		text, err = unified(before, after, "") // the digest is all that differs
	}
	return text, err
}

// Sides reads what the comparison made of both objects.
func Sides(d diff.DiffResult) (before, after *unstructured.Unstructured, err error) {
	read := func(data []byte) (*unstructured.Unstructured, error) {
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil || m == nil {
			return nil, err
		}
		return &unstructured.Unstructured{Object: m}, nil
	}
	if before, err = read(d.NormalizedLive); err != nil {
		return nil, nil, err
	}
	after, err = read(d.PredictedLive)
	return before, after, err
}

func isSecret(o *unstructured.Unstructured) bool {
	return o != nil && o.GetKind() == "Secret" && o.GroupVersionKind().Group == ""
}

func unified(before, after *unstructured.Unstructured, hidden string) (string, error) {
	a, err := lines(before, hidden)
	if err != nil {
		return "", err
	}
	b, err := lines(after, hidden)
	if err != nil {
		return "", err
	}
	if len(a)+len(b) > maxLines {
		return fmt.Sprintf("(%d and %d lines: too long to show)\n", len(a), len(b)), nil
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: a, B: b, FromFile: "live", ToFile: "wanted", Context: 3})
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "\n(the rest is left out)\n"
	}
	return text, err
}

// lines is an object as YAML, without what the cluster keeps for itself.
func lines(o *unstructured.Unstructured, hidden string) ([]string, error) {
	if o == nil {
		return nil, nil
	}
	o = o.DeepCopy()
	delete(o.Object, "status")
	for _, f := range []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"} {
		unstructured.RemoveNestedField(o.Object, "metadata", f)
	}
	notes := o.GetAnnotations()
	delete(notes, corev1.LastAppliedConfigAnnotation)
	delete(notes, hidden)
	o.SetAnnotations(notes)
	data, err := yaml.Marshal(o.Object)
	if err != nil {
		return nil, err
	}
	return difflib.SplitLines(strings.TrimSuffix(string(data), "\n")), nil
}
