package layout_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/lab/layout"
)

func TestNoTwoClustersShareAnAddress(t *testing.T) {
	lab := netip.MustParsePrefix("198.18.0.0/15")
	shared := netip.MustParseAddr(layout.SharedIP)
	var seen []netip.Prefix
	for i := 1; i <= layout.MaxIndex; i++ {
		c := layout.Cluster{Name: "c", Index: i}
		node := netip.MustParseAddr(c.NodeIP())
		link := netip.PrefixFrom(node, 24).Masked()
		ranges := []netip.Prefix{link, netip.MustParsePrefix(c.ServiceCIDR()), netip.MustParsePrefix(c.PodCIDR())}
		for _, r := range ranges {
			if !lab.Contains(r.Addr()) || r.Contains(shared) {
				t.Errorf("index %d: %s is outside %s or holds the shared address", i, r, lab)
			}
			if r != r.Masked() {
				t.Errorf("index %d: %s is not a whole range", i, r)
			}
			for _, s := range seen {
				if r.Overlaps(s) {
					t.Errorf("index %d: %s overlaps %s", i, r, s)
				}
			}
			seen = append(seen, r)
		}
		services := ranges[1]
		for _, ip := range []string{c.APIServiceIP(), c.DNSServiceIP()} {
			if !services.Contains(netip.MustParseAddr(ip)) {
				t.Errorf("index %d: %s is not in %s", i, ip, services)
			}
		}
		if !link.Contains(netip.MustParseAddr(c.HostIP())) || c.HostIP() == c.NodeIP() {
			t.Errorf("index %d: host %s and node %s do not share a cable", i, c.HostIP(), c.NodeIP())
		}
		if len(c.Link()) > 15 {
			t.Errorf("device name %q is too long", c.Link())
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		claim string
		c     layout.Cluster
		want  string // part of the error; empty: none
	}{
		{"a plain name is fine", layout.Cluster{Name: "staging", Index: 1}, ""},
		{"the highest index is fine", layout.Cluster{Name: "a", Index: layout.MaxIndex}, ""},
		{"a slash would leave the folder", layout.Cluster{Name: "../x", Index: 1}, "name"},
		{"a long name would not fit a hostname with its node", layout.Cluster{Name: strings.Repeat("a", 31), Index: 1}, "name"},
		{"a trailing hyphen is no hostname", layout.Cluster{Name: "a-", Index: 1}, "name"},
		{"the hub's name is taken", layout.Cluster{Name: "hub", Index: 1}, "taken"},
		{"index 0 would take the shared range", layout.Cluster{Name: "a"}, "index 0"},
		{"an index beyond the plan would wrap", layout.Cluster{Name: "a", Index: layout.MaxIndex + 1}, "index"},
	} {
		t.Run(tc.claim, func(t *testing.T) {
			err := tc.c.Validate()
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Validate() = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestDefaultsAreValidAndLabelled(t *testing.T) {
	for _, c := range layout.Defaults() {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		if c.Labels["env"] == "" {
			t.Errorf("cluster %s has no label env", c.Name)
		}
	}
}

func TestFreeIndexSkipsWhatIsTaken(t *testing.T) {
	got, err := layout.FreeIndex([]layout.Cluster{{Index: 1}, {Index: 10}, {Index: 11}})
	if err != nil || got != 12 {
		t.Errorf("FreeIndex = %d, %v, want 12", got, err)
	}
	var all []layout.Cluster
	for i := range layout.MaxIndex + 1 {
		all = append(all, layout.Cluster{Index: i})
	}
	if _, err := layout.FreeIndex(all); err == nil {
		t.Error("FreeIndex found an index where none is left")
	}
}

func TestEnvSurvivesItsFile(t *testing.T) {
	want := layout.Env{
		Registry: layout.Registry, Root: "/r", Lacks: []string{"netem"},
		Clusters: []layout.ClusterEnv{{Cluster: layout.Defaults()[0], Kubeconfig: "/r/k", NodeIP: "198.18.1.2"}},
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := layout.ParseEnv(b)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := got.Cluster("staging")
	if !ok || c.Kubeconfig != "/r/k" || !c.Chaos || c.Labels["env"] != "staging" || got.Lacks[0] != "netem" {
		t.Errorf("got %+v", got)
	}
	if _, ok := got.Cluster("nowhere"); ok {
		t.Error("found a cluster that is not there")
	}
}

func FuzzParseEnv(f *testing.F) {
	f.Add([]byte(`{"root":"/r","registry":"x:1","clusters":[{"name":"a","index":1}]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := layout.ParseEnv(b)
		if err != nil {
			return
		}
		for _, c := range e.Clusters {
			if c.Validate() != nil {
				t.Errorf("accepted cluster %+v", c)
			}
		}
	})
}
