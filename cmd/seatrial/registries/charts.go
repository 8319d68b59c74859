package registries

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/deployer/render/charts"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

const (
	chartType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip" // of the layer that holds a packed chart
	maxChart  = 8 << 20                                               // bytes, packed
)

// Charts fetches charts through a registry client; may says of which repositories.
func Charts(reg *oci.Registry, may func(repository string) bool) charts.Fetch {
	return func(ctx context.Context, d charts.Dependency) (charts.Archive, error) {
		ref, err := oci.ParseRef(strings.ReplaceAll(d.String(), "+", "_")) // as helm writes a version as a tag
		if err != nil {
			return charts.Archive{}, fmt.Errorf("%w: %w", charts.ErrUnfit, err)
		}
		if !may(ref.Repository) {
			return charts.Archive{}, hint.Add(fmt.Errorf("%w: the project may not take charts from %s", charts.ErrUnfit, ref.Repository),
				"commit it with helm dependency build, or let an operator add its folder to the Project's spec.charts")
		}
		a, err := fetch(ctx, reg, ref)
		if errors.Is(err, oci.ErrNotFound) || errors.Is(err, oci.ErrMalformed) || errors.Is(err, oci.ErrTooLarge) {
			err = fmt.Errorf("%w: %w", charts.ErrUnfit, err)
		}
		return a, err
	}
}

func fetch(ctx context.Context, reg *oci.Registry, ref oci.Ref) (charts.Archive, error) {
	_, layers, err := reg.Documents(ctx, ref)
	if err != nil {
		return charts.Archive{}, err
	}
	for _, l := range layers {
		if l.Type == chartType {
			content, err := reg.Blob(ctx, ref.Repository, l.Digest, maxChart)
			return charts.Archive{Content: content, Digest: l.Digest}, err
		}
	}
	return charts.Archive{}, fmt.Errorf("read %s: it holds no chart: %w", ref, oci.ErrMalformed)
}

// Of says which charts a project may have: those of the server's registry, of its own and
// of the folders that its Project names.
func Of(p release.Project, own string) func(repository string) bool {
	folders := append([]string{own}, p.Spec.Charts...)
	for _, l := range p.Spec.Registries {
		folders = append(folders, l.Host)
	}
	return func(repository string) bool {
		return slices.ContainsFunc(folders, func(f string) bool { return repository == f || strings.HasPrefix(repository, f+"/") })
	}
}

// Own fetches charts with the logins in docker's configuration.
func Own(ctx context.Context, d charts.Dependency) (charts.Archive, error) {
	host, _, _ := strings.Cut(d.String(), "/")
	reg, err := Open(false, host)
	if err != nil {
		return charts.Archive{}, err
	}
	return Charts(reg, func(string) bool { return true })(ctx, d)
}
