package sbom

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/builder/sbom/contents"
	"github.com/seatrial/seatrial/release"
)

// maxFiles is how many files that belong to nothing a document lists; with more it says
// that it is incomplete.
const maxFiles = 5000

// Maker says who makes documents, and of what they know besides the image.
type Maker struct {
	Author  string // default "Seatrial"
	Modules string // a Go module cache, for licences; "" for none
}

// Document describes one platform's image by what is in it. What only a scanner can
// describe comes as rest, which is nil when there is no such thing; what both describe is
// described once, by us.
func (m Maker) Document(repository string, p release.Platform, img *contents.Image, rest *cyclonedx.BOM) ([]byte, error) {
	bom := m.begin(repository, p.Digest, img.Created)
	main := bom.Metadata.Component
	main.Properties = &[]cyclonedx.Property{{Name: "seatrial:platform", Value: p.Name}}
	claims(main, img)

	d := &draft{maker: m, image: img, components: map[string]cyclonedx.Component{}, needs: map[string][]string{}}
	d.programs()
	scanned := d.scanned(rest)
	if rest != nil {
		*bom.Metadata.Tools.Components = append(*bom.Metadata.Tools.Components, tools(rest)...)
	}
	whole := rest == nil
	if !scanned { // then the files are what there is
		whole = d.files() && whole
	}
	d.finish(bom, whole)
	return encode(bom, cyclonedx.SpecVersion1_6)
}

// begin is a document without components: whose, by whom, when.
func (m Maker) begin(repository string, digest release.Digest, created time.Time) *cyclonedx.BOM {
	bom := cyclonedx.NewBOM()
	bom.SerialNumber = Serial(digest)
	main := container(repository, digest)
	self := cyclonedx.Component{Type: cyclonedx.ComponentTypeApplication, Name: "seatrial"}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		self.Version = info.Main.Version
	}
	bom.Metadata = &cyclonedx.Metadata{
		Lifecycles: &[]cyclonedx.Lifecycle{{Phase: cyclonedx.LifecyclePhaseBuild}},
		Tools:      &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{self}},
		Authors:    &[]cyclonedx.OrganizationalContact{{Name: cmp.Or(m.Author, "Seatrial")}},
		Component:  &main,
	}
	if !created.IsZero() {
		bom.Metadata.Timestamp = created.UTC().Format(time.RFC3339)
	}
	return bom
}

// claims are what the image says about itself.
func claims(main *cyclonedx.Component, img *contents.Image) {
	const label = "org.opencontainers.image."
	if v := img.Labels[label+"vendor"]; v != "" {
		main.Supplier = &cyclonedx.OrganizationalEntity{Name: v}
	}
	if v := cmp.Or(img.Labels[label+"authors"], img.Author); v != "" {
		main.Authors = &[]cyclonedx.OrganizationalContact{{Name: v}}
	}
	if v := img.Labels[label+"licenses"]; v != "" {
		main.Licenses = &cyclonedx.Licenses{{License: &cyclonedx.License{Name: v}}}
	}
	main.Description = img.Labels[label+"description"]
	for _, name := range []string{"revision", "source", "title", "version"} {
		if v := img.Labels[label+name]; v != "" {
			*main.Properties = append(*main.Properties, cyclonedx.Property{Name: label + name, Value: v})
		}
	}
}

// draft collects the components of one image, by their reference in the document.
type draft struct {
	maker      Maker
	image      *contents.Image
	components map[string]cyclonedx.Component
	needs      map[string][]string // what needs what, by reference
	top        []string            // what the image itself consists of
	told       []string            // whose needs are known to the last
	untold     []string            // whose needs are not, or not all
}

// files lists the plain files and says whether that was all of them.
func (d *draft) files() bool {
	for _, f := range d.image.Files[:min(len(d.image.Files), maxFiles)] {
		ref := "file:" + f.Path
		d.components[ref] = cyclonedx.Component{
			BOMRef: ref, Type: cyclonedx.ComponentTypeFile, Name: f.Path,
			Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: f.SHA256}},
		}
		d.top = append(d.top, ref)
	}
	return len(d.image.Files) <= maxFiles
}

// finish puts everything in order and says how complete it is.
func (d *draft) finish(bom *cyclonedx.BOM, whole bool) {
	main := bom.Metadata.Component.BOMRef
	var list []cyclonedx.Component
	for _, c := range d.components {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b cyclonedx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	bom.Components = &list

	d.needs[main] = d.top
	var graph []cyclonedx.Dependency
	for ref, needs := range d.needs {
		slices.Sort(needs)
		needs = slices.Compact(needs)
		graph = append(graph, cyclonedx.Dependency{Ref: ref, Dependencies: &needs})
	}
	slices.SortFunc(graph, func(a, b cyclonedx.Dependency) int { return cmp.Compare(a.Ref, b.Ref) })
	bom.Dependencies = &graph

	assembly := cyclonedx.CompositionAggregateComplete
	if !whole {
		assembly = cyclonedx.CompositionAggregateIncomplete
	}
	compositions := []cyclonedx.Composition{{Aggregate: assembly, Assemblies: references([]string{main})}}
	if whole {
		d.told = append(d.told, main)
	} else {
		d.untold = append(d.untold, main)
	}
	if len(d.told) > 0 {
		compositions = append(compositions, cyclonedx.Composition{Aggregate: cyclonedx.CompositionAggregateComplete, Dependencies: references(d.told)})
	}
	if len(d.untold) > 0 {
		compositions = append(compositions, cyclonedx.Composition{Aggregate: cyclonedx.CompositionAggregateIncomplete, Dependencies: references(d.untold)})
	}
	bom.Compositions = &compositions
}

func references(refs []string) *[]cyclonedx.BOMReference {
	slices.Sort(refs)
	var out []cyclonedx.BOMReference
	for _, r := range slices.Compact(refs) {
		out = append(out, cyclonedx.BOMReference(r))
	}
	return &out
}

// container is the component that stands for an image; its version is the digest.
func container(repository string, d release.Digest) cyclonedx.Component {
	name := repository[strings.LastIndexByte(repository, '/')+1:]
	return cyclonedx.Component{
		BOMRef: string(d), Type: cyclonedx.ComponentTypeContainer, Name: repository, Version: string(d),
		PackageURL: fmt.Sprintf("pkg:oci/%s@%s?repository_url=%s", name, strings.Replace(string(d), ":", "%3A", 1), repository),
		Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: d.Hex()}},
	}
}

// Serial is a document's serial number: a name-based UUID of the image's digest.
func Serial(d release.Digest) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("seatrial sbom "+string(d))).URN()
}

// Versions are the versions of CycloneDX that a document of ours can be had in.
func Versions() []string { return []string{"1.5", "1.6"} }

// As is a document of ours in one of the Versions.
func As(document []byte, version string) ([]byte, error) {
	i := slices.Index(Versions(), version)
	if i < 0 {
		return nil, fmt.Errorf("CycloneDX %q: want %s", version, strings.Join(Versions(), " or "))
	}
	v := []cyclonedx.SpecVersion{cyclonedx.SpecVersion1_5, cyclonedx.SpecVersion1_6}[i]
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(document), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, fmt.Errorf("read SBOM: %w", err)
	}
	return encode(&bom, v)
}

// encode writes JSON, without blanks.
func encode(bom *cyclonedx.BOM, v cyclonedx.SpecVersion) ([]byte, error) {
	var out bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).EncodeVersion(bom, v); err != nil {
		return nil, fmt.Errorf("encode SBOM: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
