package plan

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

const defaultPython = "3.13"

// pyproject is what the planner reads of pyproject.toml.
type pyproject struct {
	Project struct {
		Python       string   `toml:"requires-python"`
		Dependencies []string `toml:"dependencies"`
	} `toml:"project"`
	Tool struct {
		Poetry struct {
			Dependencies map[string]any `toml:"dependencies"`
		} `toml:"poetry"`
	} `toml:"tool"`
}

// lockedPackages are those of uv.lock and poetry.lock alike.
type lockedPackages struct {
	Package []lockedPackage `toml:"package"`
}

type lockedPackage struct {
	Name string `toml:"name"`
}

// planPython installs into a virtual environment on each platform, since wheels hold
// programs of a platform.
func planPython(t tree, ask Ask) (Plan, error) {
	raw, err := t.optional("pyproject.toml")
	if err != nil {
		return Plan{}, err
	}
	var project pyproject
	if err := toml.Unmarshal(raw, &project); err != nil {
		return Plan{}, refuse("correct pyproject.toml", "pyproject.toml: %v", err)
	}
	var p Plan
	install, err := p.pythonInstall(t, project, ask)
	if err != nil {
		return Plan{}, err
	}
	version, err := p.pythonVersion(t, project, ask)
	if err != nil {
		return Plan{}, err
	}
	if ask.Build != "" {
		return Plan{}, refuse("take spec.build.plan.build out, or write a Dockerfile", "a planned Python service has no build command")
	}
	if err := p.pythonCommand(t, ask); err != nil {
		return Plan{}, err
	}
	install.Name, install.From, install.Dir = "packages", or(ask.Builder, "python:"+version), "/app"
	final := Stage{Name: Final, From: or(ask.Base, "python:"+version+"-slim"), Dir: "/app"}
	if len(install.Steps) > 0 {
		p.Stages = append(p.Stages, install)
		final.Steps = append(final.Steps, bring(Copy{From: "packages", Paths: []string{"/venv/"}, To: "/venv/"}))
		p.fact("wheels", "installed for each platform", "they may hold programs; for other platforms than the builder's own this needs an emulator")
	}
	final.Steps = append(final.Steps, bring(Copy{Paths: []string{"."}, To: "/app/", Exclude: []string{".git", ".venv", "**/__pycache__"}}))
	p.Stages = append(p.Stages, final)
	p.Image.User, p.Image.Dir = user, "/app"
	p.Image.Env = map[string]string{
		"PATH":             "/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
		"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
	}
	return p, nil
}

// pythonInstall goes by the lock file. A requirements.txt is taken as one.
func (p *Plan) pythonInstall(t tree, project pyproject, ask Ask) (Stage, error) {
	locks := []struct{ file, manager string }{{"uv.lock", "uv"}, {"poetry.lock", "poetry"}, {"requirements.txt", "pip"}}
	var found []string
	var name string
	for _, l := range locks {
		if t.has(l.file) && (ask.PackageManager == "" || ask.PackageManager == l.manager) {
			found, name = append(found, l.file), l.manager
		}
	}
	wanted := requirements(project)
	switch {
	case len(found) > 1:
		return Stage{}, refuse("keep one of them, or choose with spec.build.plan.packageManager", "%s are all there", strings.Join(found, " and "))
	case len(found) == 0 && len(wanted) == 0:
		p.fact("packages", "none", "pyproject.toml has no dependencies")
		return Stage{}, nil
	case len(found) == 0:
		return Stage{}, refuse("run uv lock or poetry lock, and commit the lock file", "pyproject.toml has dependencies and there is no lock file: looked for uv.lock, poetry.lock and requirements.txt")
	}
	raw, err := t.read(found[0], maxLock)
	if err != nil {
		return Stage{}, err
	}
	if name == "pip" {
		why := "requirements.txt is there"
		if n := unpinned(string(raw)); n > 0 {
			why += fmt.Sprintf(", but %d of its lines pin no version with ==", n)
		}
		p.fact("packages", "pip", why)
		return pipStage(raw), nil
	}
	var lock lockedPackages
	if err := toml.Unmarshal(raw, &lock); err != nil {
		return Stage{}, refuse("make it again with "+name+" lock, and commit it", "%s: %v", found[0], err)
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(lock.Package, func(l lockedPackage) bool { return normal(l.Name) == w }) {
			return Stage{}, refuse("run "+name+" lock, and commit "+found[0], "%s does not have %s, which pyproject.toml requires", found[0], w)
		}
	}
	p.fact("packages", name, found[0]+" is there")
	if name == "uv" {
		return uvStage(), nil
	}
	return poetryStage(), nil
}

const venv = "python -m venv /venv && "

var otherFiles = regexp.MustCompile(`(?m)^\s*(-[rce]|--(requirement|constraint|editable|find-links)|\.|file:)`)

func pipStage(requirements []byte) Stage {
	see := Copy{Paths: []string{"requirements.txt"}, To: "/app/"}
	if otherFiles.Match(requirements) {
		see = Copy{Paths: []string{"."}, To: "/app/", Exclude: []string{".git", ".venv"}}
	}
	return Stage{Env: map[string]string{"PIP_CACHE_DIR": "/root/.cache/pip", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, Steps: []Step{
		bring(see),
		run(Run{Command: venv + "/venv/bin/pip install --no-compile -r requirements.txt", Caches: []Cache{{"pip", "/root/.cache/pip"}}}),
	}}
}

func uvStage() Stage {
	return Stage{
		Env: map[string]string{"UV_CACHE_DIR": "/root/.cache/uv", "UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": "/venv"},
		Steps: []Step{
			bring(Copy{Paths: []string{"pyproject.toml", "uv.lock"}, To: "/app/"}),
			run(Run{Command: "pip install --no-compile uv && uv sync --locked --no-dev --no-install-project", Caches: []Cache{{"uv", "/root/.cache/uv"}}}),
		},
	}
}

func poetryStage() Stage {
	return Stage{Env: map[string]string{"POETRY_CACHE_DIR": "/root/.cache/poetry"}, Steps: []Step{
		bring(Copy{Paths: []string{"pyproject.toml", "poetry.lock"}, To: "/app/"}),
		run(Run{
			Command: "python -m venv /poetry && /poetry/bin/pip install --no-compile 'poetry>=2,<3' && /poetry/bin/poetry check --lock && " + venv +
				"VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH /poetry/bin/poetry install --only main --no-root --no-interaction",
			Caches: []Cache{{"poetry", "/root/.cache/poetry"}},
		}),
	}}
}

var (
	requirement = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*`)
	separators  = regexp.MustCompile(`[-_.]+`)
	pyVersion   = regexp.MustCompile(`^3\.[0-9]{1,2}(\.[0-9]{1,3})?$`)
	pyRange     = regexp.MustCompile(`(===?|~=|>=|<=|>|<|\^|~)?\s*3\.([0-9]{1,2})(\.[0-9*]+)?`)
)

// normal is a package's name as the index compares it.
func normal(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }

// requirements are the names of what pyproject.toml requires.
func requirements(p pyproject) []string {
	var out []string
	for _, d := range p.Project.Dependencies {
		if name := requirement.FindString(d); name != "" {
			out = append(out, normal(name))
		}
	}
	for name := range p.Tool.Poetry.Dependencies {
		if name != "python" {
			out = append(out, normal(name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// unpinned counts the requirements that may be another version tomorrow.
func unpinned(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		if line != "" && line[0] != '#' && line[0] != '-' && !strings.Contains(line, "==") && !strings.Contains(line, "@") {
			n++
		}
	}
	return n
}

func (p *Plan) pythonVersion(t tree, project pyproject, ask Ask) (string, error) {
	if ask.Version != "" {
		p.fact("python", ask.Version, inPipeline)
		return ask.Version, nil
	}
	raw, err := t.optional(".python-version")
	if err != nil {
		return "", err
	}
	if v := strings.TrimSpace(string(raw)); pyVersion.MatchString(v) {
		p.fact("python", v, ".python-version")
		return v, nil
	}
	wanted := project.Project.Python
	if s, ok := project.Tool.Poetry.Dependencies["python"].(string); ok && wanted == "" {
		wanted = s
	}
	if wanted == "" {
		p.fact("python", defaultPython, "nothing names a version")
		return defaultPython, nil
	}
	minor, ok := newestPython(wanted)
	if !ok {
		return "", refuse("say spec.build.plan.version", "pyproject.toml: python %q names no version that can be planned", wanted)
	}
	v := fmt.Sprintf("3.%d", minor)
	p.fact("python", v, "pyproject.toml: python "+wanted)
	return v, nil
}

// newestPython is the minor version of Python 3 that a range is built with: the default
// when the range has it, else the nearest in it.
func newestPython(wanted string) (int, bool) {
	low, high := 0, 1<<30
	found := pyRange.FindAllStringSubmatch(wanted, -1)
	for _, c := range found {
		n, _ := strconv.Atoi(c[2])
		switch c[1] {
		case ">=", "^", ">":
			low = max(low, n)
		case "~=": // ~=3.11 is any 3.x from there, ~=3.11.2 only 3.11
			if low = max(low, n); c[3] != "" {
				high = min(high, n)
			}
		case "<":
			if c[3] == "" || c[3] == ".0" {
				n--
			}
			high = min(high, n)
		case "<=":
			high = min(high, n)
		default:
			low, high = max(low, n), min(high, n)
		}
	}
	preferred, _ := leading(strings.TrimPrefix(defaultPython, "3."))
	return min(max(preferred, low), high), len(found) > 0 && low <= high
}

// pythonCommand is what the image runs.
func (p *Plan) pythonCommand(t tree, ask Ask) error {
	if len(ask.Command) > 0 { // said by Detect
		return nil
	}
	if ask.Main != "" {
		p.Image.Entrypoint = []string{"python", path.Clean(ask.Main)}
		p.fact("command", "python "+path.Clean(ask.Main), inPipeline)
		return nil
	}
	raw, err := t.optional("Procfile")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(raw)) {
		if web, ok := strings.CutPrefix(line, "web:"); ok {
			p.Image.Entrypoint = []string{"sh", "-c", "exec " + strings.TrimSpace(web)}
			p.fact("command", strings.TrimSpace(web), "Procfile: web")
			return nil
		}
	}
	var found []string
	for _, file := range []string{"main.py", "app.py", "server.py"} {
		if t.has(file) {
			found = append(found, file)
		}
	}
	if len(found) != 1 {
		return refuse("say spec.build.plan.command: [gunicorn, app:app], or spec.build.plan.main", "nothing says what to run: looked for one of main.py, app.py and server.py, and for web in a Procfile; found %d", len(found))
	}
	p.Image.Entrypoint = []string{"python", found[0]}
	p.fact("command", "python "+found[0], "the file is there")
	return nil
}
