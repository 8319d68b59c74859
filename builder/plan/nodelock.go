package plan

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// manager installs a Node project's packages.
type manager struct {
	name, lock      string
	prepare         string // command that brings the manager itself
	all, production string
	cache           Cache
	env             map[string]string
	files           []string // beside package.json and the lock, what the manager reads
}

// install copies what the manager needs to see and runs it. Members of a workspace are
// all over the tree, so there everything is copied first.
func (m manager) install(t tree, pkg packageJSON, command string) []Step {
	files := []string{"package.json"}
	for _, f := range append([]string{m.lock}, m.files...) {
		if f != "" && t.has(f) {
			files = append(files, f)
		}
	}
	see := bring(Copy{Paths: files, To: "/app/"})
	if spread(t, pkg) {
		see = everything()
	}
	if m.prepare != "" {
		command = m.prepare + " && " + command
	}
	return []Step{see, run(Run{Command: command, Caches: []Cache{m.cache}})}
}

// spread says that the packages to install are named all over the tree.
func spread(t tree, pkg packageJSON) bool {
	return len(pkg.Workspaces) > 0 || t.has("pnpm-workspace.yaml")
}

func everything() Step {
	return bring(Copy{Paths: []string{"."}, To: "/app/", Exclude: []string{".git", "node_modules"}})
}

// nodeManager goes by the lock file; without one nothing is the same twice.
func (p *Plan) nodeManager(t tree, pkg packageJSON, ask Ask) (manager, error) {
	locks := []struct{ file, manager string }{{"package-lock.json", "npm"}, {"npm-shrinkwrap.json", "npm"}, {"pnpm-lock.yaml", "pnpm"}, {"yarn.lock", "yarn"}}
	var lock, name string
	for _, l := range locks {
		switch {
		case !t.has(l.file) || ask.PackageManager != "" && ask.PackageManager != l.manager:
		case lock != "":
			return manager{}, refuse("keep the lock file of one package manager, or choose with spec.build.plan.packageManager", "%s and %s are both there", lock, l.file)
		default:
			lock, name = l.file, l.manager
		}
	}
	if lock == "" {
		if len(pkg.dependencies()) == 0 {
			p.fact("packages", "none", "package.json has no dependencies")
			return manager{name: or(ask.PackageManager, "npm")}, nil
		}
		next := "run npm install, pnpm install or yarn install, and commit the lock file"
		if t.has("bun.lock") || t.has("bun.lockb") {
			next = "bun is not planned: write a Dockerfile, or commit the lock file of npm, pnpm or yarn"
		}
		return manager{}, refuse(next, "package.json has dependencies and there is no lock file: looked for package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml and yarn.lock")
	}
	raw, err := t.read(lock, maxLock)
	if err != nil {
		return manager{}, err
	}
	m, missing, err := map[string]func(packageJSON, []byte) (manager, string, error){"npm": npm, "pnpm": pnpm, "yarn": yarn}[name](pkg, raw)
	if err != nil {
		return manager{}, refuse("make it again with "+name+" install, and commit it", "%s: %v", lock, err)
	}
	if missing != "" {
		return manager{}, refuse("run "+name+" install, and commit "+lock, "%s does not agree with package.json about %s", lock, missing)
	}
	m.name, m.lock = name, lock
	p.fact("packages", name, lock+" is there")
	return m, nil
}

func npm(pkg packageJSON, lock []byte) (manager, string, error) {
	m := manager{
		all: "npm ci --no-audit --no-fund", production: "npm ci --omit=dev --no-audit --no-fund",
		cache: Cache{"npm", "/root/.npm"}, env: map[string]string{"npm_config_cache": "/root/.npm"}, files: []string{".npmrc"},
	}
	var l struct {
		Packages map[string]json.RawMessage `json:"packages"`
	}
	if err := json.Unmarshal(lock, &l); err != nil {
		return m, "", err
	}
	root, ok := l.Packages[""]
	if !ok { // version 1 does not repeat what was asked for: npm ci finds out
		return m, "", nil
	}
	var locked packageJSON
	if err := json.Unmarshal(root, &locked); err != nil {
		return m, "", err
	}
	want, have := pkg.dependencies(), locked.dependencies()
	for _, name := range append(sorted(want), sorted(have)...) {
		if want[name] != have[name] {
			return m, name, nil
		}
	}
	return m, "", nil
}

var (
	exactVersion = regexp.MustCompile(`^[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)?$`)
	lockVersion  = regexp.MustCompile(`(?m)^lockfileVersion: ?'?([0-9]+)`)
	specifier    = regexp.MustCompile(`^        specifier: ?['"]?(.*?)['"]?$`)
	lockedName   = regexp.MustCompile(`^      ['"]?([^'":]+)['"]?:`)
)

// named is the version of a manager that package.json pins, as in "pnpm@9.1.0+sha512.…".
func named(pkg packageJSON, manager, otherwise string) string {
	name, version, _ := strings.Cut(pkg.PackageManager, "@")
	version, _, _ = strings.Cut(version, "+")
	if name != manager || !exactVersion.MatchString(version) {
		return otherwise
	}
	return version
}

func pnpm(pkg packageJSON, lock []byte) (manager, string, error) {
	of := map[string]string{"5": "7", "6": "8", "9": "10"}
	version := "10"
	if v := lockVersion.FindSubmatch(lock); v != nil {
		version = or(of[string(v[1])], version)
	}
	const store = "/root/.pnpm-store"
	m := manager{
		prepare: "npm install --global pnpm@" + named(pkg, "pnpm", version),
		all:     "pnpm install --frozen-lockfile --store-dir " + store, production: "pnpm install --frozen-lockfile --prod --store-dir " + store,
		cache: Cache{"pnpm", store}, env: map[string]string{"CI": "true"}, files: []string{".npmrc", "pnpm-workspace.yaml"},
	}
	have, readable := pnpmRoot(lock)
	if bytes.Contains(lock, []byte("\noverrides:")) {
		readable = false // they stand in the place of what was asked for
	}
	want := pkg.dependencies()
	for _, name := range append(sorted(want), sorted(have)...) {
		if readable && want[name] != have[name] && !strings.HasPrefix(want[name], "catalog:") {
			return m, name, nil
		}
	}
	return m, "", nil
}

// pnpmRoot reads what the lock file says was asked for at the root of the project. pnpm
// writes it in one fixed layout, so lines are enough.
func pnpmRoot(lock []byte) (have map[string]string, readable bool) {
	have = map[string]string{}
	in, name := false, ""
	for raw := range bytes.Lines(lock) {
		line := strings.TrimRight(string(raw), "\r\n")
		switch {
		case line == "  .:":
			in, readable = true, true
		case in && line != "" && !strings.HasPrefix(line, "    "):
			return have, readable
		case in:
			if s := specifier.FindStringSubmatch(line); s != nil && name != "" {
				have[name] = s[1]
			} else if n := lockedName.FindStringSubmatch(line); n != nil {
				name = n[1]
			}
		}
	}
	return have, readable
}

// yarn reads both layouts: the first version's "name@range:" and the later ones'
// "name@npm:range":.
func yarn(pkg packageJSON, lock []byte) (manager, string, error) {
	m := manager{
		prepare: "npm install --global --force yarn@" + named(pkg, "yarn", "1.22.22"),
		all:     "yarn install --frozen-lockfile", production: "yarn install --frozen-lockfile --production",
		cache: Cache{"yarn", "/root/.cache/yarn"}, env: map[string]string{"YARN_CACHE_FOLDER": "/root/.cache/yarn"}, files: []string{".npmrc", ".yarnrc"},
	}
	if later := bytes.Contains(lock, []byte("\n__metadata:")); later {
		m.prepare = "npm install --global --force @yarnpkg/cli-dist@" + named(pkg, "yarn", "4")
		m.all, m.production = "yarn install --immutable", "yarn workspaces focus --all --production"
		m.env = with(m.env, map[string]string{"YARN_NODE_LINKER": "node-modules", "YARN_ENABLE_GLOBAL_CACHE": "false"})
		m.files = []string{".npmrc", ".yarnrc.yml"}
	}
	have := map[string]bool{}
	for raw := range bytes.Lines(lock) {
		line := strings.TrimSpace(string(raw))
		if !strings.HasSuffix(line, ":") || raw[0] == ' ' || raw[0] == '#' {
			continue
		}
		for entry := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSuffix(line, ":"), `"`, ""), ",") {
			have[strings.Replace(strings.TrimSpace(entry), "@npm:", "@", 1)] = true
		}
	}
	if len(pkg.Resolutions) > 0 {
		return m, "", nil
	}
	want := pkg.dependencies()
	for _, name := range sorted(want) {
		wanted := strings.TrimPrefix(want[name], "npm:")
		if !have[name+"@"+wanted] && !strings.ContainsAny(wanted, ":/") {
			return m, name, nil
		}
	}
	return m, "", nil
}
