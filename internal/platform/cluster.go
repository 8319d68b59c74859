package platform

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"

	"github.com/seatrial/seatrial/release"
)

var program = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,128}$`)

// access checks how a cluster is reached: by a kubeconfig, by a service account's token,
// or by an agent, which has credentials of its own.
func (c *checker) access(s *release.ClusterSpec) {
	c.pattern(fileName, "the name of a file, without folders", s.Credentials, "spec", "credentials")
	for i, p := range s.Plugins {
		c.pattern(program, "the name or the path of a program, as the kubeconfig has it", p, "spec", "credentialPlugins", i)
	}
	c.Once(s.Plugins, "spec", "credentialPlugins")
	if s.Server != "" {
		if u, err := url.Parse(s.Server); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			c.Add(fmt.Sprintf("%q: want an address like https://10.0.0.1:6443", s.Server), "spec", "server")
		}
	}
	if s.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA)) {
		c.Add("want certificates in PEM", "spec", "ca")
	}
	for _, r := range []struct {
		wrong bool
		key   string
		text  string
	}{
		{s.CA != "" && s.Server == "", "ca", "only counts together with server; a kubeconfig has its own"},
		{len(s.Plugins) > 0 && s.Server != "", "credentialPlugins", "a service account's token runs no program"},
		{s.Agent && s.Credentials != "", "credentials", agentsOwn}, {s.Agent && s.Server != "", "server", agentsOwn}, {s.Agent && len(s.Plugins) > 0, "credentialPlugins", agentsOwn},
		{s.ChaosOptIn && !s.Chaos, "chaosOptIn", "only counts together with chaos: true"},
		{s.Agent && s.Chaos, "chaos", "faults are not injected through an agent: leave it out, or let the server reach the cluster"},
	} {
		if r.wrong {
			c.AddKey(r.text, "spec", r.key)
		}
	}
}

const agentsOwn = "the cluster has an agent, which has credentials of its own"
