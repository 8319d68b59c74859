package spec

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/seatrial/seatrial/release"
)

const maxCommand = 1000 // bytes of a command of a plan

var (
	toolVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)
	imageName   = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9._:/@-]{0,254}$`)
)

// plan checks the words of a plan; whether they fit the tree is the planner's matter.
func (c *checker) plan(p release.BuildPlan, dockerfile string) {
	at := func(field string) []any { return []any{"spec", "build", "plan", field} }
	if dockerfile != "" {
		c.Add("a build has a plan or a Dockerfile: leave out one of them", "spec", "build", "plan")
	}
	if p.Language != "" {
		c.OneOf("language", p.Language, []string{"go", "node", "python", "static"}, at("language")...)
	}
	if p.PackageManager != "" {
		c.OneOf("package manager", p.PackageManager, []string{"npm", "pnpm", "yarn", "pip", "uv", "poetry"}, at("packageManager")...)
	}
	if p.Version != "" && !toolVersion.MatchString(p.Version) {
		c.Add(fmt.Sprintf("%q: want a version like 1.26", p.Version), at("version")...)
	}
	for field, value := range map[string]string{"main": p.Main, "output": p.Output} {
		if c.path(value, at(field)...); !oneLine(value) {
			c.Add(fmt.Sprintf("want one line of at most %d bytes", maxCommand), at(field)...)
		}
	}
	for field, image := range map[string]string{"builder": p.Builder, "base": p.Base} {
		if image != "" && !imageName.MatchString(image) {
			c.Add(fmt.Sprintf("%q: want an image like registry.example/name:tag", image), at(field)...)
		}
	}
	if !oneLine(p.Build) {
		c.Add(fmt.Sprintf("want one line of at most %d bytes", maxCommand), at("build")...)
	}
	c.AtMost(maxEntries, len(p.Command), at("command")...)
	for i, word := range p.Command {
		if word == "" || !oneLine(word) {
			c.Add(fmt.Sprintf("want one line of at most %d bytes", maxCommand), append(at("command"), i)...)
		}
	}
}

func oneLine(s string) bool { return len(s) <= maxCommand && !strings.ContainsAny(s, "\n\r\x00") }
