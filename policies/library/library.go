// Package library holds the rego policies that come with the platform, as data: each
// NAME.rego beside NAME.cases.yaml, which says what it passes and what it refuses, and
// in helpers/ what they share and the platform repo's own policies may import.
//
// Start at Policies. It never runs anything: package policies does.
package library

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed *.rego helpers/*.rego *.cases.yaml
var files embed.FS

// Policies are the sources by policy name.
func Policies() map[string]string {
	found := map[string]string{}
	for file, text := range read("*.rego") {
		found[strings.TrimSuffix(file, ".rego")] = text
	}
	return found
}

// Helpers are the sources of what policies may import, by file: data.seatrial.pods.
func Helpers() map[string]string {
	found := map[string]string{}
	for file, text := range read("helpers/*.rego") {
		found[path.Join("library", file)] = text
	}
	return found
}

// Cases are the YAML texts of each policy's cases, by policy name.
func Cases() map[string]string {
	found := map[string]string{}
	for file, text := range read("*.cases.yaml") {
		found[strings.TrimSuffix(file, ".cases.yaml")] = text
	}
	return found
}

func read(pattern string) map[string]string {
	found := map[string]string{}
	names, err := fs.Glob(files, pattern)
	if err != nil { // the patterns above are constants
		return found
	}
	for _, name := range names {
		if text, err := files.ReadFile(name); err == nil {
			found[name] = string(text)
		}
	}
	return found
}
