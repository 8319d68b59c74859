package plan

import "strings"

// secretFiles are where what installs packages looks for the way to private ones, by the
// cache it uses and the secret's id.
func secretFiles() map[string]map[string]string {
	const npmrc, netrc = "/root/.npmrc", "/root/.netrc"
	return map[string]map[string]string{
		"npm": {"npmrc": npmrc}, "pnpm": {"npmrc": npmrc},
		"pip": {"pip.conf": "/etc/pip.conf", "netrc": netrc}, "uv": {"netrc": netrc}, "poetry": {"netrc": netrc},
	}
}

// mount lets the commands that install packages see secrets, and no other command.
func (p *Plan) mount(ids []string) error {
	files := secretFiles()
	for _, id := range ids {
		var path string
		for _, s := range p.Stages {
			for _, step := range s.Steps {
				if step.Run == nil || len(step.Run.Caches) == 0 || files[step.Run.Caches[0].Name][id] == "" {
					continue
				}
				path = files[step.Run.Caches[0].Name][id]
				step.Run.Secrets = append(step.Run.Secrets, Secret{ID: id, Path: path})
			}
		}
		if path == "" {
			return refuse("take it out of spec.build.secrets, or write a Dockerfile that mounts it",
				"no step of the plan takes a secret %q: npm and pnpm take npmrc, pip takes pip.conf and netrc, uv and poetry take netrc", strings.ToValidUTF8(id, "?"))
		}
		p.fact("secret "+id, path, "spec.build.secrets names it; only what installs packages sees it")
	}
	return nil
}
