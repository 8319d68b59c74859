package contents

import (
	"io"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/licensecheck"
)

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|unlicen[cs]e)([.-][\w.-]*)?$`)
	// The licences that we name; all that there are would take a second to load.
	named = regexp.MustCompile(`^(0BSD|AGPL-3\.0|Apache-2\.0|BSD-[23]-Clause|BSL-1\.0|CC0-1\.0|L?GPL-[23]\.[01]|ISC|MIT|MPL-2\.0|Unlicense|Zlib)$`)
)

func licenceName(p string) bool { return licenceFile.MatchString(path.Base(p)) }

// Licences are the licences of a Go module as the texts beside it in the image say:
// in a folder of the module's path, or of its path and version as in a module cache,
// wherever that folder is.
func (i *Image) Licences(module, version string) []string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(i.texts)) {
		dir := path.Dir(p)
		if strings.HasSuffix(dir, "/"+module) || strings.HasSuffix(dir, "/"+module+"@"+version) {
			out = append(out, Classify(i.texts[p])...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var scanner = sync.OnceValues(func() (*licensecheck.Scanner, error) {
	return licensecheck.NewScanner(slices.DeleteFunc(licensecheck.BuiltinLicenses(), func(l licensecheck.License) bool {
		return l.URL != "" || !named.MatchString(l.ID)
	}))
})

// Classify names the licences, by their SPDX id, that a text consists of. A text with more
// in it than those we know, which may be one more clause, says nothing.
func Classify(text []byte) []string {
	const sure = 96 // percent of the words, without copyright lines
	s, err := scanner()
	if err != nil {
		return nil
	}
	found := s.Scan(text)
	if found.Percent < sure {
		return nil
	}
	var out []string
	for _, m := range found.Match {
		out = append(out, m.ID)
	}
	return out
}

// LicencesIn are the licences of the texts in one folder.
func LicencesIn(root *os.Root, dir string) []string {
	d, err := root.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, err := d.ReadDir(1000)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenceName(e.Name()) {
			continue
		}
		f, err := root.Open(path.Join(dir, e.Name()))
		if err != nil {
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(f, maxText))
		if f.Close(); err == nil {
			out = append(out, Classify(text)...)
		}
	}
	return out
}
