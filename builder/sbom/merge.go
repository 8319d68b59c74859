package sbom

import (
	"slices"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// scanned adds what a scanner found, except what we described already: a component with
// a package URL of ours, and what is within our programs only. It says whether there was
// any package.
func (d *draft) scanned(rest *cyclonedx.BOM) bool {
	if rest == nil || rest.Components == nil {
		return false
	}
	ours := map[string]string{} // package URL to reference
	for ref, c := range d.components {
		if c.PackageURL != "" {
			ours[c.PackageURL] = ref
		}
	}
	packages := false
	renamed := map[string]string{} // the scanner's reference to ours; "" for what is left out
	for _, c := range *rest.Components {
		bare, _, _ := strings.Cut(c.PackageURL, "?")
		same, known := ours[bare]
		switch {
		case known && bare != "":
			renamed[c.BOMRef] = same
			continue
		case d.within(c):
			renamed[c.BOMRef] = ""
			continue
		}
		if c.Supplier == nil && c.Publisher != "" { // who maintains it, as the package says
			c.Supplier = &cyclonedx.OrganizationalEntity{Name: c.Publisher}
		}
		packages = packages || c.PackageURL != ""
		renamed[c.BOMRef] = c.BOMRef
		d.components[c.BOMRef] = c
		if c.Type != cyclonedx.ComponentTypeFile { // those belong to packages
			d.top = append(d.top, c.BOMRef)
		}
	}
	if rest.Dependencies != nil {
		d.graph(*rest.Dependencies, renamed)
	}
	return packages
}

// graph adds the scanner's relations between what is left of its components.
func (d *draft) graph(relations []cyclonedx.Dependency, renamed map[string]string) {
	for _, r := range relations {
		ref := renamed[r.Ref]
		if ref == "" || ref != r.Ref || r.Dependencies == nil { // ours are described by us
			continue
		}
		d.untold = append(d.untold, ref)
		for _, n := range *r.Dependencies {
			if to := renamed[n]; to != "" {
				d.needs[ref] = append(d.needs[ref], to)
			}
		}
	}
}

// within says whether the scanner found a component in our programs and nowhere else.
func (d *draft) within(c cyclonedx.Component) bool {
	var places []string
	if c.Type == cyclonedx.ComponentTypeFile {
		places = append(places, c.Name)
	}
	if c.Properties != nil {
		for _, p := range *c.Properties {
			if strings.HasPrefix(p.Name, "syft:location:") && strings.HasSuffix(p.Name, ":path") {
				places = append(places, p.Value)
			}
		}
	}
	return len(places) > 0 && !slices.ContainsFunc(places, func(p string) bool {
		_, ours := d.components["file:"+p]
		return !ours
	})
}

// tools are what a scanner's document says made it.
func tools(rest *cyclonedx.BOM) []cyclonedx.Component {
	if rest.Metadata == nil || rest.Metadata.Tools == nil || rest.Metadata.Tools.Components == nil {
		return nil
	}
	return *rest.Metadata.Tools.Components
}
