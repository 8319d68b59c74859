package render

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/internal/hint"
)

// object is a checked document.
type object struct {
	*unstructured.Unstructured
	file string
}

// where names the object for people: "Deployment web (deploy/web.yaml)".
func (o object) where() string {
	name := o.GetName()
	if name == "" {
		name = o.GetGenerateName() + "*"
	}
	return fmt.Sprintf("%s %s (%s)", o.GetKind(), name, o.file)
}

var objectName = regexp.MustCompile(`^[a-zA-Z0-9]([-a-zA-Z0-9_.:]{0,251}[a-zA-Z0-9])?$`)

// check turns documents into objects: whole, named, in a namespace, each only once.
func check(docs []manifest.Document, o Options) ([]object, error) {
	if len(docs) > o.Limits.Objects {
		return nil, hint.Add(fmt.Errorf("the manifests hold %d objects, over the limit of %d", len(docs), o.Limits.Objects), "split the service")
	}
	var objs []object
	seen := map[string]string{}
	for _, d := range docs {
		obj, err := whole(d)
		if err != nil {
			return nil, err
		}
		if obj.GetNamespace() == "" && !ClusterScoped(obj.GroupVersionKind().GroupKind()) && o.Namespace != "" {
			obj.SetNamespace(o.Namespace)
		}
		gk := obj.GroupVersionKind().GroupKind()
		key := strings.Join([]string{gk.Group, gk.Kind, obj.GetNamespace(), obj.GetName()}, "/")
		if first, twice := seen[key]; twice && obj.GetName() != "" {
			return nil, hint.Add(fmt.Errorf("%s is defined twice: in %s and in %s", obj.GetKind()+" "+obj.GetName(), first, d.File), "keep one of them")
		}
		seen[key] = d.File
		objs = append(objs, obj)
	}
	slices.SortStableFunc(objs, func(a, b object) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return objs, nil
}

func sortKey(o object) string {
	gvk := o.GroupVersionKind()
	return strings.Join([]string{gvk.Group, gvk.Kind, o.GetNamespace(), o.GetName(), o.GetGenerateName()}, "\x00")
}

func whole(d manifest.Document) (object, error) {
	at := fmt.Sprintf("%s: document %d", d.File, d.Index)
	version, _ := d.Object["apiVersion"].(string)
	kind, _ := d.Object["kind"].(string)
	meta, isMap := d.Object["metadata"].(map[string]any)
	switch {
	case version == "" || kind == "":
		return object{}, hint.Add(fmt.Errorf("%s has no apiVersion or no kind", at), "a manifest begins with apiVersion and kind; keep other files out of the folder")
	case strings.Count(version, "/") > 1 || strings.ContainsAny(version+kind, " \n\t"):
		return object{}, hint.Add(fmt.Errorf("%s: apiVersion %.80q or kind %.80q cannot be", at, version, kind), "write them as in apps/v1, Deployment")
	case !isMap:
		return object{}, hint.Add(fmt.Errorf("%s: %s has no metadata", at, kind), "give it metadata.name")
	}
	for _, f := range []string{"name", "namespace", "generateName"} {
		if v, there := meta[f]; there && v != nil {
			if s, ok := v.(string); !ok || (s != "" && !objectName.MatchString(strings.TrimSuffix(s, "-")) && f != "generateName") {
				return object{}, hint.Add(fmt.Errorf("%s: metadata.%s of the %s is not a name", at, f, kind), "use lower-case letters, digits and dashes")
			}
		}
	}
	for _, f := range []string{"labels", "annotations"} {
		if err := texts(meta, f); err != nil {
			return object{}, hint.Add(fmt.Errorf("%s: metadata.%s of the %s: %w", at, f, kind, err), "put the value in quotes")
		}
	}
	obj := object{&unstructured.Unstructured{Object: d.Object}, d.File}
	if obj.GetName() == "" && (obj.GetGenerateName() == "" || obj.GetAnnotations()["argocd.argoproj.io/hook"] == "") {
		return object{}, hint.Add(fmt.Errorf("%s: %s has no name", at, kind), "give it metadata.name")
	}
	delete(d.Object, "status")
	for _, f := range []string{"creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"} {
		delete(meta, f)
	}
	return obj, nil
}

// texts demands a map of texts, which is what the API server will demand.
func texts(meta map[string]any, field string) error {
	v, there := meta[field]
	if !there || v == nil {
		delete(meta, field)
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return errors.New("not a map")
	}
	for k, v := range m {
		if _, ok := v.(string); !ok {
			return fmt.Errorf("%.60q is not a text", k)
		}
	}
	return nil
}

// canonical writes the objects so that the same objects are always the same bytes.
func canonical(objs []object, l Limits) ([]byte, error) {
	var out bytes.Buffer
	for i, o := range objs {
		data, err := manifest.Write(o.Object)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be written: %w", o.where(), err)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(data)
		if int64(out.Len()) > l.Bytes {
			return nil, hint.Add(fmt.Errorf("the rendered manifests are over the limit of %d bytes", l.Bytes), "split the service")
		}
	}
	return out.Bytes(), nil
}
