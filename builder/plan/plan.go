// Package plan says how an image is made of a source tree that has no Dockerfile: in
// which stages, with which commands, and why.
//
// Start at Detect. A Plan is a value: Words shows it to people, JSON to programs,
// Dockerfile writes it down for who wants to go on by hand, and package graph turns it
// into what BuildKit solves. Detection reads a bounded number of bounded files and never
// runs anything; what is ambiguous is refused with the choices, not guessed.
package plan

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Final is the stage that becomes the image.
const Final = "image"

// Plan is how an image is made.
type Plan struct {
	Language string  `json:"language"`
	Facts    []Fact  `json:"facts"`
	Stages   []Stage `json:"stages"` // a stage comes after those it uses; the last one is the image
	Image    Image   `json:"image"`
}

// Fact is one thing the plan rests on, and the reason for it.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why"`
}

// Stage is a file system that is made step by step.
type Stage struct {
	Name  string            `json:"name"`
	From  string            `json:"from"`           // an image, an earlier stage or "scratch"
	Host  bool              `json:"host,omitempty"` // runs on the machine that builds, for whatever platform: no emulator
	Dir   string            `json:"dir,omitempty"`  // where its commands run
	Env   map[string]string `json:"env,omitempty"`
	Steps []Step            `json:"steps,omitempty"`
}

// Step is a Run or a Copy.
type Step struct {
	Run  *Run  `json:"run,omitempty"`
	Copy *Copy `json:"copy,omitempty"`
}

// Run is a shell command.
type Run struct {
	Command string   `json:"command"`
	Args    []string `json:"args,omitempty"` // build arguments it sees in its environment
	Caches  []Cache  `json:"caches,omitempty"`
	Secrets []Secret `json:"secrets,omitempty"`
	Bind    string   `json:"bind,omitempty"`    // where it sees the context; what it writes there is lost
	Offline bool     `json:"offline,omitempty"` // it needs no network and gets none
}

// Cache is a folder that outlives a build. Its name is private to the service and to how
// far the commit is trusted.
type Cache struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Secret is a file that only one command sees.
type Secret struct {
	ID   string `json:"id"`
	Path string `json:"path"`
}

// Copy brings files in. Of a folder it takes what is inside.
type Copy struct {
	From    string   `json:"from,omitempty"` // a stage; empty for the context
	Paths   []string `json:"paths"`
	To      string   `json:"to"` // a folder, absolute, with a slash at the end
	Exclude []string `json:"exclude,omitempty"`
	Common  bool     `json:"common,omitempty"` // the same for every commit, so that images share the layer
}

// Image is what the image says of itself.
type Image struct {
	Entrypoint []string          `json:"entrypoint"`
	Env        map[string]string `json:"env,omitempty"`
	User       string            `json:"user"`
	Dir        string            `json:"dir"`
	Port       int               `json:"port,omitempty"`
}

// Ask is what is planned for, and what somebody decided already.
type Ask struct {
	Name    string   // of the service: it chooses among several commands
	Args    []string // names of the build arguments that somebody set
	Secrets []string // ids of the secrets that commands may mount
	release.BuildPlan
}

// user is who the image's process is: the number that distroless gives "nonroot".
const user = "65532:65532"

// language is one that can be planned.
type language struct {
	name  string
	marks []string // a tree that has one of these files is written in it
	plan  func(tree, Ask) (Plan, error)
}

func languages() []language {
	return []language{
		{"go", []string{"go.mod", "go.work"}, planGo},
		{"node", []string{"package.json"}, planNode},
		{"python", []string{"requirements.txt", "pyproject.toml"}, planPython},
		{"static", []string{"index.html", "public/index.html"}, planStatic},
	}
}

// Detect makes the plan of a tree. Its errors are about the tree or the ask, and carry
// the next step.
func Detect(files fs.FS, ask Ask) (Plan, error) {
	t := tree{files}
	l, err := choose(t, ask.Language)
	if err != nil {
		return Plan{}, err
	}
	if err := fits(l.name, ask.PackageManager); err != nil {
		return Plan{}, err
	}
	ask.Args = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(ask.Args), "VERSION", "COMMIT"))))
	p, err := l.plan(t, ask)
	if err != nil {
		return Plan{}, err
	}
	p.Language = l.name
	if err := p.mount(ask.Secrets); err != nil {
		return Plan{}, err
	}
	if len(ask.Command) > 0 {
		p.Image.Entrypoint = slices.Clone(ask.Command)
		p.fact("command", strings.Join(ask.Command, " "), inPipeline)
	}
	return p, nil
}

// inPipeline is the reason for what somebody decided.
const inPipeline = "spec.build.plan says so"

// choose takes the language that was asked for, or the only one whose files are there. A
// page beside a program is the program's.
func choose(t tree, asked string) (language, error) {
	var found []language
	var marks, looked []string
	for _, l := range languages() {
		looked = append(looked, l.marks...)
		if asked == l.name {
			return l, nil
		}
		i := slices.IndexFunc(l.marks, t.has)
		if i < 0 || l.name == "static" && len(found) > 0 {
			continue
		}
		found, marks = append(found, l), append(marks, l.marks[i])
	}
	switch {
	case asked != "":
		return language{}, refuse("choose go, node, python or static with spec.build.plan.language", "language %q cannot be planned", asked)
	case len(found) == 0:
		next := "add a Dockerfile or one of these files"
		if below := t.below(looked); below != "" {
			next = fmt.Sprintf("%s is there: name its folder with spec.build.context in .seatrial.yaml, or add a Dockerfile", below)
		}
		return language{}, refuse(next, "there is nothing to plan a build from: looked for %s", strings.Join(looked, ", "))
	case len(found) > 1:
		return language{}, refuse("choose with spec.build.plan.language, or add a Dockerfile", "%s are both there: which one is the service?", strings.Join(marks, " and "))
	}
	return found[0], nil
}

// fits refuses a package manager of another language.
func fits(language, manager string) error {
	managers := map[string][]string{"node": {"npm", "pnpm", "yarn"}, "static": {"npm", "pnpm", "yarn"}, "python": {"pip", "uv", "poetry"}}[language]
	if manager == "" || slices.Contains(managers, manager) {
		return nil
	}
	return refuse("take spec.build.plan.packageManager out", "%s is not a package manager for %s", manager, language)
}

func refuse(next, format string, args ...any) error {
	return hint.Add(fmt.Errorf(format, args...), next)
}

func (p *Plan) fact(name, value, why string) {
	p.Facts = append(p.Facts, Fact{name, value, why})
}

// Stage gives a stage by name.
func (p Plan) Stage(name string) (Stage, bool) {
	i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.Name == name })
	if i < 0 {
		return Stage{}, false
	}
	return p.Stages[i], true
}

// Names are the names of the stages, in order.
func (p Plan) Names() []string {
	var out []string
	for _, s := range p.Stages {
		out = append(out, s.Name)
	}
	return out
}

func run(r Run) Step    { return Step{Run: &r} }
func bring(c Copy) Step { return Step{Copy: &c} }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func with(env map[string]string, more map[string]string) map[string]string {
	out := maps.Clone(env)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}
