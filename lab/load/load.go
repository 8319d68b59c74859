// Package load sends a steady stream of requests to services in the lab's
// clusters, as their users would, and counts what came back.
//
// Start at Generator.Run. Requests start at the set rate whatever becomes of
// the ones before, on a new connection each, so that a killed pod is noticed
// when a user behind a gateway would notice it: a connection that cannot be made is
// tried again, an answer that is bad counts. It never counts before a service's first answer:
// until then there is no service.
package load

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/seatrial/seatrial/lab/layout"
)

// DefaultRPS is the rate for each service and cluster.
const DefaultRPS = 40

// MaxRPS keeps a slip of the finger from burying the machine.
const MaxRPS = 500

// Wish asks for load on one service.
type Wish struct {
	Service   string   `json:"service"`            // the label in metrics: team/name
	Namespace string   `json:"namespace"`          // of the Kubernetes Service
	Name      string   `json:"name"`               // of the Kubernetes Service
	Clusters  []string `json:"clusters,omitempty"` // empty: every cluster
	Port      int      `json:"port"`
	Path      string   `json:"path"`
	Host      string   `json:"host,omitempty"` // header; empty: the service's DNS name
	RPS       float64  `json:"rps"`            // for each cluster
}

// Validate fills what was left out and reports the first thing that is wrong.
func (w *Wish) Validate() error {
	team, name, ok := strings.Cut(w.Service, "/")
	if !ok || team == "" || name == "" {
		return fmt.Errorf("service %q: want team/name", w.Service)
	}
	w.Namespace, w.Name = cmp.Or(w.Namespace, team), cmp.Or(w.Name, name)
	w.Port, w.Path, w.RPS = cmp.Or(w.Port, 80), cmp.Or(w.Path, "/"), cmp.Or(w.RPS, DefaultRPS)
	switch {
	case w.RPS < 0 || w.RPS > MaxRPS:
		return fmt.Errorf("service %s: rate %g: want 0 to %d requests a second", w.Service, w.RPS, MaxRPS)
	case w.Port < 1 || w.Port > 65535:
		return fmt.Errorf("service %s: port %d: want 1 to 65535", w.Service, w.Port)
	case !strings.HasPrefix(w.Path, "/"):
		return fmt.Errorf("service %s: path %q: want one that begins with /", w.Service, w.Path)
	}
	return nil
}

// Read reads the wishes of a lab; no file means no wish.
func Read(root layout.Root) ([]Wish, error) {
	b, err := os.ReadFile(root.LoadFile())
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read load: %w", err)
	}
	var all []Wish
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("read load: %w", err)
	}
	for i := range all {
		if err := all[i].Validate(); err != nil {
			return nil, fmt.Errorf("read load: %w", err)
		}
	}
	return all, nil
}

// Set adds a wish, in place of the one for the same service.
func Set(root layout.Root, w Wish) error {
	if err := w.Validate(); err != nil {
		return err
	}
	return change(root, func(all []Wish) []Wish { return append(without(all, w.Service), w) })
}

// Remove removes the wish for a service.
func Remove(root layout.Root, service string) error {
	return change(root, func(all []Wish) []Wish { return without(all, service) })
}

func without(all []Wish, service string) []Wish {
	return slices.DeleteFunc(all, func(o Wish) bool { return o.Service == service })
}

// change reads the wishes and writes them back. The lock keeps commands that run at the
// same time from losing each other's.
func change(root layout.Root, do func([]Wish) []Wish) error {
	lock, err := os.OpenFile(root.LoadFile()+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock load: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock load: %w", err)
	}
	all, err := Read(root)
	if err != nil {
		return err
	}
	return write(root, do(all))
}

func write(root layout.Root, all []Wish) error {
	slices.SortFunc(all, func(a, b Wish) int { return strings.Compare(a.Service, b.Service) })
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write load: %w", err)
	}
	tmp := root.LoadFile() + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write load: %w", err)
	}
	return os.Rename(tmp, root.LoadFile())
}

// Target is one service in one cluster.
type Target struct {
	Wish
	Cluster string
	DNS     string // host:port of the cluster's DNS
}

// key tells targets apart that need a worker of their own.
func (t Target) key() string { return fmt.Sprintf("%+v", t) }

// Targets spreads wishes over the clusters that run. It is pure.
func Targets(wishes []Wish, clusters []layout.ClusterEnv) []Target {
	var all []Target
	for _, w := range wishes {
		for _, c := range clusters {
			if w.RPS > 0 && (len(w.Clusters) == 0 || slices.Contains(w.Clusters, c.Name)) {
				all = append(all, Target{Wish: w, Cluster: c.Name, DNS: c.DNS})
			}
		}
	}
	return all
}
