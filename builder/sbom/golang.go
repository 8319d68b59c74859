package sbom

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"golang.org/x/mod/module"

	"github.com/seatrial/seatrial/builder/sbom/contents"
)

// programs describes the image's Go programs as their linker did: `go version -m` says
// the same.
func (d *draft) programs() {
	for _, p := range d.image.Programs {
		ref := "file:" + p.Path
		c := program(p)
		c.BOMRef = ref
		d.components[ref] = c
		d.top = append(d.top, ref)
		d.needs[ref] = append(d.needs[ref], d.add(stdlib(p.Info.GoVersion)))
		for _, m := range p.Info.Deps {
			dep := d.add(d.module(m))
			d.needs[ref] = append(d.needs[ref], dep)
			d.untold = append(d.untold, dep) // the linker does not say which module needs which
		}
		if p.Info.Main.Path != "" && setting(p.Info, "CGO_ENABLED") == "0" {
			d.told = append(d.told, ref)
		} else { // no modules, or perhaps libraries of C that nobody names
			d.untold = append(d.untold, ref)
		}
	}
}

// add adds a module, unless it is there, and returns its reference. The same version with
// another sum is another module.
func (d *draft) add(c cyclonedx.Component) string {
	if old, ok := d.components[c.BOMRef]; ok && property(old, sumProperty) != property(c, sumProperty) {
		c.BOMRef += "#" + property(c, sumProperty)
	}
	d.components[c.BOMRef] = c
	return c.BOMRef
}

func program(p contents.Program) cyclonedx.Component {
	main := p.Info.Main
	c := cyclonedx.Component{
		Type: cyclonedx.ComponentTypeApplication, Name: cmp.Or(p.Info.Path, main.Path, p.Path), Version: main.Version,
		Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: p.SHA256}},
	}
	if main.Path != "" {
		in, below := strings.CutPrefix(p.Info.Path, main.Path+"/")
		if !below {
			in = ""
		}
		c.PackageURL = purl(main.Path, main.Version, in)
	}
	props := []cyclonedx.Property{{Name: "seatrial:file", Value: p.Path}, {Name: "seatrial:go:version", Value: p.Info.GoVersion}}
	if main.Path != "" {
		props = append(props, cyclonedx.Property{Name: "seatrial:go:module", Value: main.Path})
	}
	if main.Sum != "" {
		props = append(props, cyclonedx.Property{Name: sumProperty, Value: main.Sum})
	}
	for _, s := range p.Info.Settings {
		props = append(props, cyclonedx.Property{Name: "seatrial:go:build:" + s.Key, Value: s.Value})
	}
	c.Properties = &props
	return c
}

const (
	sumProperty     = "seatrial:go:sum"
	replaceProperty = "seatrial:go:replace"
)

// module describes what is in the program: a replacement, when there is one, that
// descends from what it replaced.
func (d *draft) module(m *debug.Module) cyclonedx.Component {
	in := m
	if m.Replace != nil {
		in = m.Replace
	}
	c := cyclonedx.Component{Type: cyclonedx.ComponentTypeLibrary, Name: in.Path, Version: in.Version, PackageURL: purl(in.Path, in.Version, "")}
	folder := in.Version == "" || strings.HasPrefix(in.Version, "(") // "(devel)"
	var props []cyclonedx.Property
	if in != m {
		old := cyclonedx.Component{Type: cyclonedx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: purl(m.Path, m.Version, "")}
		c.Pedigree = &cyclonedx.Pedigree{Ancestors: &[]cyclonedx.Component{old}}
		if folder { // which names nothing outside of the machine that built it
			c.Name, c.PackageURL = m.Path, purl(m.Path, "", "")
			props = append(props, cyclonedx.Property{Name: replaceProperty, Value: in.Path})
		}
	}
	c.BOMRef = c.PackageURL
	if in != m {
		c.BOMRef += "?replaces=" + url.QueryEscape(m.Path+"@"+m.Version)
	}
	if in.Sum != "" {
		props = append(props, cyclonedx.Property{Name: sumProperty, Value: in.Sum})
		if h1, ok := strings.CutPrefix(in.Sum, "h1:"); ok {
			// As CycloneDX's own tool for Go has it: the digest of the module's file list.
			if raw, err := base64.StdEncoding.DecodeString(h1); err == nil && len(raw) == 32 {
				c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
			}
		}
	}
	if len(props) > 0 {
		c.Properties = &props
	}
	if !folder {
		c.Licenses = licences(d.image.Licences(in.Path, in.Version), cached(d.maker.Modules, in))
	}
	return c
}

// stdlib is Go's own library under the names by which vulnerabilities are looked up.
func stdlib(goVersion string) cyclonedx.Component {
	first, _, _ := strings.Cut(goVersion, " ") // "go1.26.8 X:boringcrypto"
	number := strings.TrimPrefix(first, "go")
	c := cyclonedx.Component{
		Type: cyclonedx.ComponentTypeLibrary, Name: "stdlib", Version: first, PackageURL: purl("stdlib", number, ""),
		Licenses: licences([]string{"BSD-3-Clause"}, nil),
	}
	if number != first {
		c.CPE = "cpe:2.3:a:golang:go:" + number + ":-:*:*:*:*:*:*"
	}
	c.BOMRef = c.PackageURL
	return c
}

// cached are the licences of a module in a module cache, provided that the cache holds
// the very module that is in the program.
func cached(dir string, m *debug.Module) []string {
	if dir == "" || m.Sum == "" {
		return nil
	}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return nil
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil // without it there are fewer licences, and no lie
	}
	defer root.Close()
	sum, err := root.ReadFile(filepath.Join("cache", "download", path, "@v", version+".ziphash"))
	if err != nil || strings.TrimSpace(string(sum)) != m.Sum {
		return nil
	}
	return contents.LicencesIn(root, path+"@"+version)
}

func licences(lists ...[]string) *cyclonedx.Licenses {
	ids := slices.Concat(lists...)
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	var out cyclonedx.Licenses
	for _, id := range slices.Compact(ids) {
		out = append(out, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	return &out
}

// purl is the package URL of a Go module, of a package in it when in is not "". A version
// in brackets, "(devel)", is none.
func purl(path, version, in string) string {
	out := "pkg:golang/" + escape(path)
	if version != "" && !strings.HasPrefix(version, "(") {
		out += "@" + escape(version)
	}
	if in != "" {
		out += "#" + escape(in)
	}
	return out
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func property(c cyclonedx.Component, name string) string {
	if c.Properties != nil {
		for _, p := range *c.Properties {
			if p.Name == name {
				return p.Value
			}
		}
	}
	return ""
}
