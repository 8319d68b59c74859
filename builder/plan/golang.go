package plan

import (
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

const (
	defaultGo = "1.26"
	oldestGo  = "go1.21" // from here on a newer tool chain keeps what an older module relied on
	mainName  = "main"
)

var (
	preRelease = regexp.MustCompile(`^go1\.[0-9]+(rc|beta)[0-9]+$`)
	// safePath is a path that needs no quotes in a shell.
	safePath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$`)
)

// planGo cross-compiles one command on the building machine and puts it, with roots of
// trust, time zones and a user, on nothing at all.
func planGo(t tree, ask Ask) (Plan, error) {
	raw, err := t.read("go.mod", maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return Plan{}, refuse("name the folder of one module with spec.build.context", "there is no go.mod beside go.work")
	}
	if err != nil {
		return Plan{}, err
	}
	mod, err := modfile.Parse("go.mod", raw, nil)
	if err != nil {
		return Plan{}, refuse("correct go.mod; go mod verify checks it", "%v", err)
	}
	if mod.Module == nil {
		return Plan{}, refuse("add a line like: module example.org/web", "go.mod names no module")
	}
	var p Plan
	release := p.goVersion(mod, ask)
	local, err := p.modules(t, mod)
	if err != nil {
		return Plan{}, err
	}
	dir, err := p.mainPackage(t, ask)
	if err != nil {
		return Plan{}, err
	}
	if err := noCgo(t, mod.Module.Mod.Path, dir); err != nil {
		return Plan{}, err
	}
	name := binary(dir, mod.Module.Mod.Path)
	p.goStages(goBuild{release, dir, name, local, t.has("go.work")}, ask)
	return p, nil
}

// goVersion is the tool chain's version as the tag of its image has it. Patch releases
// are left to the tag, so that a rebuild gets the security fixes.
func (p *Plan) goVersion(mod *modfile.File, ask Ask) string {
	wanted, why := "", ""
	if mod.Go != nil {
		wanted, why = "go"+mod.Go.Version, "go.mod: go "+mod.Go.Version
	}
	if mod.Toolchain != nil && version.Compare(mod.Toolchain.Name, wanted) > 0 {
		wanted, why = mod.Toolchain.Name, "go.mod: toolchain "+mod.Toolchain.Name
	}
	tag := strings.TrimPrefix(version.Lang(wanted), "go")
	switch {
	case ask.Version != "":
		tag, why = ask.Version, inPipeline
	case tag == "":
		tag, why = defaultGo, "go.mod has no go line"
	case version.Compare(wanted, oldestGo) < 0:
		tag, why = defaultGo, why+", which a newer Go builds as well"
	case preRelease.MatchString(wanted):
		tag = strings.TrimPrefix(wanted, "go")
	}
	p.fact("go", tag, why)
	return tag
}

// modules says where dependencies come from and whether all are in the tree. It refuses
// what go build would: a lock file that is missing or does not agree with go.mod.
func (p *Plan) modules(t tree, mod *modfile.File) (local bool, err error) {
	if len(mod.Require) == 0 {
		p.fact("modules", "none", "go.mod requires nothing")
		return true, nil
	}
	if t.has("vendor/modules.txt") {
		raw, err := t.read("vendor/modules.txt", maxLock)
		if err != nil {
			return false, err
		}
		if missing := lacking(mod, raw, vendored); missing != "" {
			return false, refuse("run: go mod vendor, and commit vendor/", "vendor/modules.txt does not have %s, which go.mod requires", missing)
		}
		p.fact("modules", "vendored", "vendor/modules.txt is there")
		return true, nil
	}
	if t.has("go.work") {
		p.fact("modules", "downloaded", "go.work: its modules are locked each by itself")
		return false, nil
	}
	raw, err := t.read("go.sum", maxLock)
	if errors.Is(err, fs.ErrNotExist) {
		return false, refuse("run: go mod tidy, and commit go.sum", "go.mod requires %d modules and there is no go.sum", len(mod.Require))
	}
	if err != nil {
		return false, err
	}
	if missing := lacking(mod, raw, sums); missing != "" {
		return false, refuse("run: go mod tidy, and commit go.mod and go.sum", "go.sum does not have %s, which go.mod requires", missing)
	}
	p.fact("modules", "downloaded", "go.sum is there")
	return false, nil
}

// mainPackage is the folder of the command: the one that was asked for, the module's own,
// or one below cmd.
func (p *Plan) mainPackage(t tree, ask Ask) (string, error) {
	if ask.Main != "" {
		dir := path.Clean(ask.Main)
		if name := packageName(t, dir); name != mainName {
			return "", refuse("correct spec.build.plan.main", "%s is not a package main", shown(dir))
		}
		p.fact(mainName, shown(dir), inPipeline)
		return dir, quoted(dir)
	}
	if packageName(t, ".") == mainName {
		p.fact(mainName, ".", "the module's own folder is a package main")
		return ".", nil
	}
	names, err := t.folders("cmd")
	if err != nil {
		return "", err
	}
	var found []string
	for _, name := range names {
		if dir := "cmd/" + name; packageName(t, dir) == mainName {
			found = append(found, dir)
		}
	}
	own := "cmd/" + ask.Name
	switch {
	case len(found) == 0:
		return "", refuse("name it with spec.build.plan.main: ./path", "there is no package main in . or in a folder of cmd")
	case len(found) == 1:
		p.fact(mainName, shown(found[0]), "the only command below cmd")
		return found[0], quoted(found[0])
	case slices.Contains(found, own):
		p.fact(mainName, shown(own), "the command below cmd with the service's name")
		return own, quoted(own)
	}
	for i := range found {
		found[i] = shown(found[i])
	}
	return "", refuse("choose with spec.build.plan.main", "there are several commands: %s", strings.Join(found, ", "))
}

func shown(dir string) string {
	if dir == "." {
		return dir
	}
	return "./" + dir
}

func quoted(dir string) error {
	if dir == "." || safePath.MatchString(dir) {
		return nil
	}
	return refuse("rename it", "the folder %q of the command has characters that a shell reads", dir)
}

// binary is what the command is called: as go install would call it.
func binary(dir, modulePath string) string {
	name := path.Base(dir)
	if dir == "." {
		prefix, _, _ := module.SplitPathVersion(modulePath)
		name = path.Base(prefix)
	}
	if !safePath.MatchString(name) {
		return "app"
	}
	return name
}

// goBuild is what the stages depend on.
type goBuild struct {
	version, dir, name string
	offline, workspace bool
}

func (p *Plan) goStages(b goBuild, ask Ask) {
	caches := []Cache{{"go-build", "/root/.cache/go-build"}}
	if !b.offline || b.workspace {
		caches = append(caches, Cache{"go-mod", "/go/pkg/mod"})
	}
	offline := b.offline && !b.workspace
	const bin = "/usr/local/bin/"
	compile := fmt.Sprintf(`GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /out%s%s %s`,
		bin, b.name, shown(b.dir))
	p.Stages = []Stage{
		{Name: "go", From: or(ask.Builder, "golang:"+b.version), Host: true, Dir: "/src", Env: map[string]string{
			"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOCACHE": "/root/.cache/go-build", "GOMODCACHE": "/go/pkg/mod",
		}},
		{Name: "test", From: "go", Host: true, Steps: []Step{
			run(Run{Command: "go vet ./... && go test ./...", Caches: caches, Bind: "/src"}),
		}},
		{Name: "build", From: "go", Host: true, Steps: []Step{
			run(Run{Command: compile, Args: []string{"TARGETOS", "TARGETARCH", "TARGETVARIANT", "VERSION"}, Caches: caches, Bind: "/src", Offline: offline}),
		}},
	}
	program := bring(Copy{From: "build", Paths: []string{"/out/"}, To: "/"})
	p.Image = Image{Entrypoint: []string{bin + b.name}, User: user, Dir: "/"}
	if ask.Base != "" {
		p.fact("base", ask.Base, inPipeline)
		p.Stages = append(p.Stages, Stage{Name: Final, From: ask.Base, Steps: []Step{program}})
		return
	}
	p.fact("base", "scratch", "with roots of trust, time zones and the user nonroot of the Go image")
	p.Image.Dir = "/home/nonroot"
	p.Image.Env = map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/home/nonroot",
		"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", "ZONEINFO": "/usr/share/zoneinfo.zip",
	}
	p.Stages = append(p.Stages,
		Stage{Name: "root", From: "go", Host: true, Steps: []Step{run(Run{Command: rootFiles, Offline: true})}},
		Stage{Name: Final, From: "scratch", Steps: []Step{bring(Copy{From: "root", Paths: []string{"/root-fs/"}, To: "/", Common: true}), program}})
}

// rootFiles lays out what a static program expects of its surroundings.
const rootFiles = `mkdir -p /root-fs/etc/ssl/certs /root-fs/usr/share` +
	` && install -d -m 1777 /root-fs/tmp && install -d -m 0700 -o 65532 -g 65532 /root-fs/home/nonroot` +
	` && cp -L /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ && cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /root-fs/usr/share/` +
	` && printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' > /root-fs/etc/passwd` +
	` && printf 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n' > /root-fs/etc/group` +
	` && printf 'hosts: files dns\n' > /root-fs/etc/nsswitch.conf && chmod -R u=rwX,go=rX /root-fs/etc /root-fs/usr`
