package plan

import (
	"fmt"
	"path"
	"strings"
)

const (
	webRoot = "/usr/share/nginx/html/"
	webPort = 8080
)

// planStatic serves files: those of the tree, or those that a Node project's build makes.
func planStatic(t tree, ask Ask) (Plan, error) {
	if t.has("package.json") {
		pkg, err := readPackage(t)
		if err != nil {
			return Plan{}, err
		}
		if ask.Build != "" || pkg.Scripts["build"] != "" {
			var p Plan
			m, err := p.nodeManager(t, pkg, ask)
			if err != nil {
				return Plan{}, err
			}
			g, _ := site(pkg)
			return p.nodeSite(t, pkg, m, ask, g)
		}
	}
	if ask.Build != "" {
		return Plan{}, refuse("take spec.build.plan.build out, or add a package.json", "a site without package.json has nothing to build with")
	}
	root, why := ".", "index.html is there"
	switch {
	case ask.Output != "":
		root, why = path.Clean(ask.Output), inPipeline
	case !t.has("index.html"):
		root, why = "public", "public/index.html is there"
	}
	if !t.has(path.Join(root, "index.html")) {
		return Plan{}, refuse("name the folder that has it with spec.build.plan.output", "there is no %s to serve", path.Join(root, "index.html"))
	}
	var p Plan
	p.fact("site", root, why)
	p.serve(ask, Copy{Paths: []string{root}, Exclude: []string{".git", ".github", ".seatrial.yaml", ".dockerignore", ".gitignore"}}, "=404")
	return p, nil
}

// serve is an nginx without privileges that serves the files; otherwise is what it gives
// for a path that is no file.
func (p *Plan) serve(ask Ask, files Copy, otherwise string) {
	image := or(ask.Base, "nginxinc/nginx-unprivileged:"+or(ask.Version, "stable"))
	p.fact("server", image, "serves files without privileges, on port "+fmt.Sprint(webPort))
	conf := []string{
		"server {", fmt.Sprintf("  listen %d;", webPort), "  root " + strings.TrimSuffix(webRoot, "/") + ";", "  index index.html;",
		"  location / { try_files $uri $uri/ " + otherwise + "; }", "}",
	}
	files.To = webRoot
	p.Stages = append(p.Stages,
		Stage{Name: "conf", From: image, Host: true, Steps: []Step{
			run(Run{Command: "mkdir /tmp/conf && printf '%s\\n' '" + strings.Join(conf, "' '") + "' > /tmp/conf/default.conf", Offline: true}),
		}},
		Stage{Name: Final, From: image, Steps: []Step{
			bring(Copy{From: "conf", Paths: []string{"/tmp/conf/"}, To: "/etc/nginx/conf.d/", Common: true}), bring(files),
		}})
	p.Image = Image{Entrypoint: []string{"nginx", "-g", "daemon off;"}, User: "101:101", Dir: "/", Port: webPort}
}
