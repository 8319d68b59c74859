package oci

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/seatrial/seatrial/release"
)

// Ref names an image: a repository with a tag, a digest, or both.
type Ref struct {
	Repository string         // "registry.example/shop/web", host included
	Tag        string         // for people
	Digest     release.Digest // what counts, when known
}

// ParseRef reads "host/repository[:tag][@sha256:…]". The host has to be there: no
// registry is ever assumed.
func ParseRef(s string) (Ref, error) {
	rest, digest, byDigest := strings.Cut(s, "@")
	r := Ref{Repository: rest, Digest: release.Digest(digest)}
	if byDigest && !r.Digest.Valid() {
		return Ref{}, fmt.Errorf("image %q: %q is not a sha256 digest", s, digest)
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		r.Repository, r.Tag = rest[:i], rest[i+1:]
	}
	host, _, ok := strings.Cut(r.Repository, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return Ref{}, fmt.Errorf("image %q: want HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…, the registry included", s)
	}
	if _, err := name.NewRepository(r.Repository, name.StrictValidation); err != nil {
		return Ref{}, fmt.Errorf("image %q: %w", s, err)
	}
	if r.Tag == "" && !byDigest {
		return Ref{}, fmt.Errorf("image %q: neither a tag nor a digest", s)
	}
	if r.Tag != "" {
		if _, err := name.NewTag(r.Repository+":"+r.Tag, name.StrictValidation); err != nil {
			return Ref{}, fmt.Errorf("image %q: %w", s, err)
		}
	}
	return r, nil
}

// ParsePair reads two references; the second may be a bare digest in the repository of
// the first.
func ParsePair(a, b string) (first, second Ref, err error) {
	if first, err = ParseRef(a); err != nil {
		return Ref{}, Ref{}, err
	}
	if d := release.Digest(b); d.Valid() {
		return first, first.At(d), nil
	}
	second, err = ParseRef(b)
	return first, second, err
}

// String is the name as ParseRef reads it.
func (r Ref) String() string {
	s := r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + string(r.Digest)
	}
	return s
}

// Host is the registry.
func (r Ref) Host() string { host, _, _ := strings.Cut(r.Repository, "/"); return host }

// At is the same repository at a digest, without a tag.
func (r Ref) At(d release.Digest) Ref { return Ref{Repository: r.Repository, Digest: d} }
