package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/hint"
)

var byDigest = regexp.MustCompile(`^[^@\s]+@sha256:[0-9a-f]{64}$`)

// pin replaces the service's own image and refuses every other that is not by digest.
// It looks below whatever has containers, so custom kinds that carry a pod are covered.
func pin(objs []object, o Options) ([]string, error) {
	found := map[string]bool{}
	replaced := 0
	for _, obj := range objs {
		if obj.GetKind() == "CustomResourceDefinition" {
			continue
		}
		err := containers(obj.Object, func(c map[string]any) error {
			name, _ := c["name"].(string)
			image, isText := c["image"].(string)
			if !isText || image == "" {
				return hint.Add(fmt.Errorf("%s: container %q has no image", obj.where(), name), "give it image: "+string(o.Service))
			}
			if o.Image != "" && isOwn(image, string(o.Service)) {
				image = o.Image
				c["image"] = image
				replaced++
			}
			if !byDigest.MatchString(image) {
				return hint.Add(fmt.Errorf("%s: container %q uses image %.200s by tag, not by digest", obj.where(), name, image),
					"write it as "+repositoryOf(image)+"@sha256:…, or, for the image that this service builds, as "+string(o.Service))
			}
			found[image] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if o.Image != "" && replaced == 0 {
		return nil, hint.Add(fmt.Errorf("no container uses the image of %s, so the build would never run", o.Service), "write image: "+string(o.Service)+" in the manifests; it is replaced by the digest")
	}
	images := make([]string, 0, len(found))
	for i := range found {
		images = append(images, i)
	}
	slices.Sort(images)
	return images, nil
}

// isOwn reports whether image is "shop/web" or "shop/web:anything".
func isOwn(image, service string) bool {
	rest, ok := strings.CutPrefix(image, service)
	return ok && (rest == "" || (rest[0] == ':' && !strings.ContainsAny(rest, "/@")))
}

func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image[:min(len(image), 200)]
}

// containers calls fn with each container anywhere below v.
func containers(v any, fn func(map[string]any) error) error {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := containers(e, fn); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range []string{"initContainers", "containers", "ephemeralContainers"} {
			list, _ := v[key].([]any)
			for _, e := range list {
				if c, ok := e.(map[string]any); ok {
					if err := fn(c); err != nil {
						return err
					}
				}
			}
		}
		for _, key := range slices.Sorted(mapKeys(v)) {
			if err := containers(v[key], fn); err != nil {
				return err
			}
		}
	}
	return nil
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// leaveToAutoscaler takes spec.replicas out of what a HorizontalPodAutoscaler of the same
// content scales: applying it would undo the autoscaler's work each time.
func leaveToAutoscaler(objs []object) {
	scaled := map[string]bool{}
	for _, o := range objs {
		if o.GetKind() != "HorizontalPodAutoscaler" {
			continue
		}
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "name")
		scaled[kind+"/"+o.GetNamespace()+"/"+name] = true
	}
	for _, o := range objs {
		if scaled[o.GetKind()+"/"+o.GetNamespace()+"/"+o.GetName()] {
			unstructured.RemoveNestedField(o.Object, "spec", "replicas")
		}
	}
}
