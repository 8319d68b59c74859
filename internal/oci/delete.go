package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// ErrNoDelete: the registry deletes nothing for anybody.
var ErrNoDelete = errors.New("the registry does not allow deletes")

// maxTags is how many tags of one repository are read.
const maxTags = 50_000

// Tags lists the tags of a repository; none when there is no such repository.
func (r *Registry) Tags(ctx context.Context, repository string) ([]string, error) {
	repo, err := r.repository(repository)
	if err != nil {
		return nil, err
	}
	list, err := r.client(ctx).puller.Lister(ctx, repo)
	var out []string
	for err == nil && list.HasNext() {
		var page *remote.Tags
		if page, err = list.Next(ctx); err != nil {
			break
		}
		if out = append(out, page.Tags...); len(out) > maxTags {
			return nil, fmt.Errorf("list tags of %s: over %d tags: %w", repository, maxTags, ErrTooLarge)
		}
	}
	if err = r.explain(ctx, "list tags of", repository, err); errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return out, err
}

// Delete takes a manifest away, and with it, on most registries, every tag that names it;
// one that is gone already is as good. The registry frees the space when it likes.
// ErrNoDelete: it is set not to delete.
func (r *Registry) Delete(ctx context.Context, repository string, d release.Digest) error {
	if !d.Valid() { // by tag, another manifest could be meant by now
		return fmt.Errorf("delete %s@%s: not a sha256 digest", repository, d)
	}
	n, err := r.named(Ref{Repository: repository, Digest: d})
	if err != nil {
		return err
	}
	err = remote.Delete(n, append(r.options(ctx), remote.Reuse(r.client(ctx).pusher))...)
	var te *transport.Error
	if errors.As(err, &te) && unsupported(te) {
		return hint.Add(fmt.Errorf("delete %s: %w", n, ErrNoDelete),
			"let the registry delete (for distribution: storage.delete.enabled), or leave retention out of the settings and use the registry's own")
	}
	if err = r.explain(ctx, "delete", n.String(), err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Untag takes a tag away that still names d, for a registry that keeps the tags of what is
// deleted. One that deletes nothing by tag keeps it.
func (r *Registry) Untag(ctx context.Context, repository, tag string, d release.Digest) error {
	ref := Ref{Repository: repository, Tag: tag}
	now, err := r.Resolve(ctx, ref)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && now != d:
		return nil
	case err != nil:
		return err
	}
	n, err := r.named(ref)
	if err != nil {
		return err
	}
	err = remote.Delete(n, append(r.options(ctx), remote.Reuse(r.client(ctx).pusher))...)
	var te *transport.Error
	if errors.As(err, &te) && unsupported(te) {
		return nil
	}
	if err = r.explain(ctx, "delete", n.String(), err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func unsupported(te *transport.Error) bool {
	for _, d := range te.Errors {
		if d.Code == transport.UnsupportedErrorCode {
			return true
		}
	}
	return te.StatusCode == http.StatusMethodNotAllowed
}

// Children are the manifests that an index consists of, its attestations included; none
// for a single image.
func (r *Registry) Children(ctx context.Context, ref Ref) ([]release.Digest, error) {
	m, err := r.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	return childrenOf(m)
}
