package plan

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const defaultNode = 24

// packageJSON is what the planner reads of package.json.
type packageJSON struct {
	Main           string            `json:"main"`
	PackageManager string            `json:"packageManager"`
	Scripts        map[string]string `json:"scripts"`
	Needs          map[string]string `json:"dependencies"`
	Optional       map[string]string `json:"optionalDependencies"`
	Develops       map[string]string `json:"devDependencies"`
	Engines        json.RawMessage   `json:"engines"` // a map; in old packages a list
	Workspaces     json.RawMessage   `json:"workspaces"`
	Resolutions    json.RawMessage   `json:"resolutions"` // of yarn: what it takes instead of what was asked for
}

// node is the range of versions that the project asks for.
func (pkg packageJSON) node() string {
	var engines map[string]string
	if json.Unmarshal(pkg.Engines, &engines) != nil {
		return "" // of another shape, which npm does not read either
	}
	return engines["node"]
}

func readPackage(t tree) (packageJSON, error) {
	raw, err := t.read("package.json", maxManifest)
	if err != nil {
		return packageJSON{}, err
	}
	var p packageJSON
	if err := json.Unmarshal(raw, &p); err != nil {
		return packageJSON{}, refuse("correct package.json", "package.json: %v", err)
	}
	return p, nil
}

// generator is a tool that turns a project into files to be served.
type generator struct{ name, output string }

func generators() []generator {
	return []generator{
		{"react-scripts", "build"}, {"@11ty/eleventy", "_site"}, {"gatsby", "public"}, {"parcel", "dist"},
		{"@vue/cli-service", "dist"}, {"astro", "dist"}, {"vite", "dist"},
	}
}

// planNode builds on the machine at hand, and installs what runs on each platform itself,
// since packages may hold programs of that platform.
func planNode(t tree, ask Ask) (Plan, error) {
	pkg, err := readPackage(t)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	m, err := p.nodeManager(t, pkg, ask)
	if err != nil {
		return Plan{}, err
	}
	if g, ok := site(pkg); ok && ask.Language == "" && ask.Main == "" && len(ask.Command) == 0 {
		return p.nodeSite(t, pkg, m, ask, g)
	}
	node, err := p.nodeVersion(t, pkg, ask)
	if err != nil {
		return Plan{}, err
	}
	if err := p.nodeCommand(t, pkg, ask); err != nil {
		return Plan{}, err
	}
	p.nodeStages(t, pkg, m, or(ask.Builder, "node:"+node), ask)
	final := Stage{Name: Final, From: or(ask.Base, "node:"+node+"-slim"), Dir: "/app"}
	if len(pkg.Needs)+len(pkg.Optional) > 0 {
		p.Stages = append(p.Stages, Stage{Name: "modules", From: or(ask.Builder, "node:"+node), Dir: "/app", Env: m.env, Steps: m.install(t, pkg, m.production)})
		final.Steps = append(final.Steps, bring(Copy{From: "modules", Paths: []string{"/app/node_modules/"}, To: "/app/node_modules/"}))
		p.fact("modules", "installed once more for each platform", "packages may hold programs; for other platforms than the builder's own this needs an emulator")
	}
	from := Copy{From: "source", Paths: []string{"/app/"}, To: "/app/", Exclude: []string{"node_modules"}}
	if script(pkg, m, ask) != "" {
		from.From = "build"
	}
	final.Steps = append(final.Steps, bring(from))
	p.Stages = append(p.Stages, final)
	p.Image.User, p.Image.Dir = user, "/app"
	p.Image.Env = map[string]string{"NODE_ENV": "production"}
	return p, nil
}

// nodeStages are the source with everything installed, the tests and the build script.
func (p *Plan) nodeStages(t tree, pkg packageJSON, m manager, image string, ask Ask) {
	source := Stage{Name: "source", From: image, Host: true, Dir: "/app", Env: m.env}
	if len(pkg.Needs)+len(pkg.Optional)+len(pkg.Develops) > 0 {
		source.Steps = m.install(t, pkg, m.all)
	}
	if len(source.Steps) == 0 || !spread(t, pkg) {
		source.Steps = append(source.Steps, everything())
	}
	p.Stages = append(p.Stages, source)
	if test := pkg.Scripts["test"]; test != "" && !strings.Contains(test, "no test specified") {
		p.Stages = append(p.Stages, Stage{Name: "test", From: "source", Host: true, Steps: []Step{run(Run{Command: m.name + " run test"})}})
	}
	if command := script(pkg, m, ask); command != "" {
		p.Stages = append(p.Stages, Stage{Name: "build", From: "source", Host: true, Steps: []Step{run(Run{Command: command, Args: ask.Args})}})
	}
}

// script is the command that builds; "" when there is nothing to build.
func script(pkg packageJSON, m manager, ask Ask) string {
	switch {
	case ask.Build != "":
		return ask.Build
	case pkg.Scripts["build"] != "":
		return m.name + " run build"
	}
	return ""
}

// site finds the tool that makes a site of the project, unless a program of its own
// serves it.
func site(pkg packageJSON) (generator, bool) {
	if start := pkg.Scripts["start"]; pkg.Scripts["build"] == "" || strings.HasPrefix(start, "node ") {
		return generator{}, false
	}
	for _, server := range []string{"express", "fastify", "koa", "next", "nuxt", "@nestjs/core", "@sveltejs/kit", "@remix-run/node", "@hapi/hapi"} {
		if pkg.Needs[server] != "" {
			return generator{}, false
		}
	}
	for _, g := range generators() {
		if pkg.Needs[g.name] != "" || pkg.Develops[g.name] != "" {
			return g, true
		}
	}
	return generator{}, false
}

var simpleStart = regexp.MustCompile(`^node( [A-Za-z0-9_./-]+)+$`)

// nodeCommand is what the image runs.
func (p *Plan) nodeCommand(t tree, pkg packageJSON, ask Ask) error {
	start := pkg.Scripts["start"]
	switch {
	case len(ask.Command) > 0: // said by Detect
	case ask.Main != "":
		p.Image.Entrypoint = []string{"node", path.Clean(ask.Main)}
		p.fact("command", "node "+path.Clean(ask.Main), inPipeline)
	case simpleStart.MatchString(start):
		p.Image.Entrypoint = strings.Fields(start)
		p.fact("command", start, "package.json: scripts.start")
	case start != "":
		p.Image.Entrypoint = []string{"sh", "-c", `PATH="/app/node_modules/.bin:$PATH"; ` + start}
		p.fact("command", start, "package.json: scripts.start")
	default:
		for _, file := range []string{pkg.Main, "server.js", "index.js"} {
			if file != "" && t.has(path.Clean(file)) {
				p.Image.Entrypoint = []string{"node", path.Clean(file)}
				p.fact("command", "node "+path.Clean(file), file+" is there")
				return nil
			}
		}
		return refuse("add scripts.start to package.json, or say spec.build.plan.command", "nothing says what to run: looked for scripts.start and main in package.json, server.js and index.js")
	}
	return nil
}

// nodeVersion is the major version that the project asks for.
func (p *Plan) nodeVersion(t tree, pkg packageJSON, ask Ask) (string, error) {
	if ask.Version != "" {
		p.fact("node", ask.Version, inPipeline)
		return ask.Version, nil
	}
	for _, file := range []string{".nvmrc", ".node-version"} {
		raw, err := t.optional(file)
		if err != nil {
			return "", err
		}
		if major, ok := leading(strings.TrimPrefix(strings.TrimSpace(string(raw)), "v")); ok {
			p.fact("node", strconv.Itoa(major), file)
			return strconv.Itoa(major), nil
		}
	}
	if wanted := pkg.node(); wanted != "" {
		major, ok := newest(wanted, defaultNode)
		if !ok {
			return "", refuse("say spec.build.plan.version", "package.json: engines.node %q names no version", wanted)
		}
		p.fact("node", strconv.Itoa(major), "package.json: engines.node "+wanted)
		return strconv.Itoa(major), nil
	}
	p.fact("node", strconv.Itoa(defaultNode), "nothing names a version")
	return strconv.Itoa(defaultNode), nil
}

var (
	comparator = regexp.MustCompile(`(>=|<=|>|<|\^|~|=)?\s*v?(\d{1,3})(\.[0-9xX*.]+)?`)
	hyphen     = regexp.MustCompile(`\s-\s`)
)

// newest is the major version a range of npm is built with: the preferred one when the
// range has it, else the newest it names.
func newest(wanted string, preferred int) (int, bool) {
	best, ok := 0, false
	for part := range strings.SplitSeq(hyphen.ReplaceAllString(wanted, " <="), "||") {
		low, high := 0, 1<<30
		found := comparator.FindAllStringSubmatch(part, -1)
		for _, c := range found {
			n, _ := strconv.Atoi(c[2])
			switch zero := strings.Trim(c[3], ".0xX*") == ""; {
			case c[1] == ">=":
				low = max(low, n)
			case c[1] == ">":
				low = max(low, n+1)
			case c[1] == "<" && zero:
				high = min(high, n-1)
			case c[1] == "<" || c[1] == "<=":
				high = min(high, n)
			default:
				low, high = max(low, n), min(high, n)
			}
		}
		if len(found) == 0 || low > high {
			continue
		}
		n := min(max(preferred, low), high)
		if n == preferred {
			return n, true
		}
		best, ok = max(best, n), true
	}
	return best, ok
}

// leading is the number a version begins with.
func leading(s string) (int, bool) {
	digits, _, _ := strings.Cut(s, ".")
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0 && n < 1000
}

// dependencies are everything package.json wants installed, by name.
func (pkg packageJSON) dependencies() map[string]string {
	return with(with(pkg.Needs, pkg.Develops), pkg.Optional)
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func (p *Plan) nodeSite(t tree, pkg packageJSON, m manager, ask Ask, g generator) (Plan, error) {
	node, err := p.nodeVersion(t, pkg, ask)
	if err != nil {
		return Plan{}, err
	}
	p.nodeStages(t, pkg, m, or(ask.Builder, "node:"+node), ask)
	if script(pkg, m, ask) == "" {
		return Plan{}, refuse("add scripts.build to package.json, or say spec.build.plan.build", "nothing says how the site is built")
	}
	output, why := path.Clean(ask.Output), inPipeline
	switch {
	case ask.Output == "" && g.output == "":
		return Plan{}, refuse("name it with spec.build.plan.output", "nothing says in which folder the build leaves the site")
	case ask.Output == "":
		output, why = g.output, g.name+" is among the dependencies"
	}
	p.fact("site", output, why)
	ask.Version = "" // it was Node's
	p.serve(ask, Copy{From: "build", Paths: []string{"/app/" + output + "/"}}, "/index.html")
	return *p, nil
}
