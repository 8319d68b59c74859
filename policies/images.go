package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// image is one place of the manifests that names an image.
type image struct {
	owner     object
	container string
	ref       string
}

var pinned = regexp.MustCompile(`^([a-zA-Z0-9][-a-zA-Z0-9.]*(?::[0-9]+)?(?:/[a-z0-9][-_.a-z0-9]*)*)(?::[\w][\w.-]{0,127})?@(sha256:[0-9a-f]{64})$`)

// parseRef splits "repository@sha256:…"; a tag before the digest is left out, since it
// says nothing.
func parseRef(ref string) (repository string, digest release.Digest, ok bool) {
	m := pinned.FindStringSubmatch(ref)
	if m == nil {
		return "", "", false
	}
	return m[1], release.Digest(m[2]), true
}

// imagesOf lists every image that the objects name, in pods and, for custom kinds, in
// any field that looks like one.
func imagesOf(all []object, pods []pod) []image {
	var out []image
	for _, p := range pods {
		out = append(out, p.images()...)
	}
	for _, o := range all {
		if !o.custom() {
			continue
		}
		each(o.body, "", func(path string, m map[string]any) {
			name, _ := m["name"].(string)
			if name == "" {
				name = path
			}
			if ref, ok := m["image"].(string); ok && looksLikeImage(ref) {
				out = append(out, image{owner: o, container: name, ref: ref})
			}
			if parts, ok := m["image"].(map[string]any); ok && parts["repository"] != nil {
				out = append(out, image{owner: o, container: name, ref: composed(parts)})
			}
		})
	}
	return slices.CompactFunc(out, func(a, b image) bool {
		return a.ref == b.ref && a.container == b.container && a.owner.String() == b.owner.String()
	})
}

func (p pod) images() []image {
	var out []image
	add := func(name, ref string) { out = append(out, image{owner: p.owner, container: name, ref: ref}) }
	for _, c := range p.spec.InitContainers {
		add(c.Name, c.Image)
	}
	for _, c := range p.spec.Containers {
		add(c.Name, c.Image)
	}
	for _, c := range p.spec.EphemeralContainers {
		add(c.Name, c.Image)
	}
	for _, v := range p.spec.Volumes {
		if v.Image != nil {
			add("volume "+v.Name, v.Image.Reference)
		}
	}
	return out
}

// looksLikeImage is generous: a custom kind's field may name an image without being
// inside a container.
func looksLikeImage(s string) bool {
	return strings.ContainsAny(s, "/:@") && !strings.Contains(s, "://") && !strings.ContainsAny(s, " \t\n")
}

// composed is the image that a custom kind writes as repository, tag and digest.
func composed(parts map[string]any) string {
	text := fmt.Sprint(parts["repository"])
	if tag, ok := parts["tag"]; ok {
		text += ":" + fmt.Sprint(tag)
	}
	if digest, ok := parts["digest"]; ok {
		text += "@" + fmt.Sprint(digest)
	}
	return text
}

// checkDigests refuses every image that is not named by its content.
func checkDigests(images []image) result {
	res := result{policy: ruleDigest, claim: "every image is named by its digest", facts: map[string]string{"images": fmt.Sprint(len(images))}}
	for _, i := range images {
		if _, _, ok := parseRef(i.ref); ok {
			continue
		}
		p := Problem{Policy: ruleDigest, Object: i.owner.String(), Container: i.container, Fix: "name the image by its digest, repository@sha256:…"}
		switch {
		case i.ref == "":
			p.Why = "it names no image"
		case strings.Contains(i.ref, "@"):
			p.Why = fmt.Sprintf("image %q is not a repository with a sha256 digest", clip(i.ref, maxText))
		default:
			p.Why = fmt.Sprintf("image %q is by tag, which can change under it", clip(i.ref, maxText))
		}
		res.problems = append(res.problems, p)
	}
	return res
}
