// Package scan looks into an image with syft and prints what it found. It is the child
// side of package sbom: start at Main. It reads one OCI layout, asks no network, and is
// never called within the server's own process.
package scan

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/anchore/stereoscope/pkg/image"
	"github.com/anchore/syft/syft"
	"github.com/anchore/syft/syft/cataloging"
	"github.com/anchore/syft/syft/cataloging/filecataloging"
	"github.com/anchore/syft/syft/file"
	"github.com/anchore/syft/syft/format/common/cyclonedxhelpers"
	syftsbom "github.com/anchore/syft/syft/sbom"
	_ "modernc.org/sqlite" // RPM databases are read through database/sql

	"github.com/seatrial/seatrial/builder/sbom"
	"github.com/seatrial/seatrial/builder/sbom/contents"
	"github.com/seatrial/seatrial/release"
)

// Version of syft, as it is written into every document.
const Version = "v1.54.0"

// Main is the hidden subcommand: it scans the images that --image names, each in the
// folder of its digest below --layout, and writes one CycloneDX 1.6 document a line.
func Main(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var r run
	flags.StringVar(&r.layouts, "layout", "", "folder of the OCI layouts")
	flags.StringVar(&r.repository, "repository", "", "where the images are")
	flags.StringVar(&r.maker.Author, "author", "", "who makes the documents")
	flags.StringVar(&r.maker.Modules, "modules", "", "a Go module cache")
	flags.Int64Var(&r.maxBytes, "max-bytes", 0, "of one image, unpacked")
	var images []release.Platform
	flags.Func("image", "PLATFORM=DIGEST, repeated", func(s string) error {
		name, digest, _ := strings.Cut(s, "=")
		p := release.Platform{Name: name, Digest: release.Digest(digest)}
		images = append(images, p)
		if !p.Digest.Valid() {
			return errors.New("want PLATFORM=DIGEST")
		}
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("sbom: %w", err)
	}
	// Reading the licence texts takes a second: once for all images.
	ctx, err := syft.SetContextLicenseScanner(ctx, cataloging.DefaultLicenseConfig())
	if err != nil {
		return fmt.Errorf("sbom: %w", err)
	}
	for _, p := range images {
		out, err := r.document(ctx, p)
		if err != nil {
			return fmt.Errorf("sbom: %s %s: %w", p.Name, p.Digest, err)
		}
		if _, err := stdout.Write(append(out, '\n')); err != nil {
			return fmt.Errorf("sbom: %w", err)
		}
	}
	return nil
}

// run is what the parent asks for.
type run struct {
	layouts, repository string
	maker               sbom.Maker
	maxBytes            int64
}

// document describes one image: what we know of it ourselves, and what syft finds.
func (r run) document(ctx context.Context, p release.Platform) ([]byte, error) {
	layout := filepath.Join(r.layouts, p.Digest.Hex())
	img, err := contents.Read(ctx, layout, p.Digest, contents.Options{Whole: true, MaxBytes: r.maxBytes})
	if err != nil {
		return nil, err
	}
	found, err := scan(ctx, layout, p.Name)
	if err != nil {
		return nil, err
	}
	rest := cyclonedxhelpers.ToFormatModel(*found)
	rest.Metadata = &cyclonedx.Metadata{Tools: &cyclonedx.ToolsChoice{
		Components: &[]cyclonedx.Component{{Type: cyclonedx.ComponentTypeApplication, Name: "syft", Version: Version}},
	}}
	return r.maker.Document(r.repository, p, img, rest)
}

func scan(ctx context.Context, layout, platform string) (*syftsbom.SBOM, error) {
	cfg := syft.DefaultGetSourceConfig().WithSources("oci-dir")
	if platform != "" {
		p, err := image.NewPlatform(platform)
		if err != nil {
			return nil, err
		}
		cfg = cfg.WithPlatform(p)
	}
	src, err := syft.GetSource(ctx, layout, cfg)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return syft.CreateSBOM(ctx, src, syft.DefaultCreateSBOMConfig().
		WithTool("syft", Version).WithParallelism(2).
		WithFilesConfig(filecataloging.DefaultConfig().WithSelection(file.FilesOwnedByPackageSelection)))
}
