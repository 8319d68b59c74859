// Package registries opens registries for commands that work without a server, in the name
// of whoever runs them: with the logins in docker's configuration.
//
// Start at Open. It never writes to that configuration.
package registries

import (
	"io"
	"slices"

	docker "github.com/docker/cli/cli/config"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
)

// dockerHub is the key under which docker keeps the login of docker.io.
const dockerHub = "https://index.docker.io/v1/"

// Open gives the registries of some hosts; plain says that they have no TLS.
func Open(plain bool, hosts ...string) (*oci.Registry, error) {
	known := docker.LoadDefaultConfigFile(io.Discard)
	slices.Sort(hosts)
	var all []oci.Host
	for _, name := range slices.Compact(hosts) {
		if name == "" {
			continue
		}
		h := oci.Host{Name: name, PlainHTTP: plain}
		key := name
		if name == "docker.io" {
			key = dockerHub
		}
		if login, err := known.GetAuthConfig(key); err == nil { // without a login the registry says what it wants
			h.User, h.Password = login.Username, secret.Text(login.Password)
		}
		all = append(all, h)
	}
	return oci.New(oci.Config{Hosts: all})
}
