package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seatrial/seatrial/lab/cluster"
	"github.com/seatrial/seatrial/lab/hub"
	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/machine"
)

// HubName stands for the shared services where a cluster's name could stand.
const HubName = "hub"

// Start starts one component of a cluster or of the hub and waits until it is of use.
func (l *Lab) Start(ctx context.Context, where, component string) error {
	if where == HubName {
		return l.hub.Start(ctx, component)
	}
	c, err := cluster.Load(where, l.Root, l.bins)
	if err != nil {
		return err
	}
	return c.Start(ctx, component)
}

// Stop stops one component; with kill it gets no chance to say goodbye.
func (l *Lab) Stop(ctx context.Context, where, component string, kill bool) error {
	if where == HubName {
		return l.hub.Stop(ctx, component, grace(kill, hub.Grace))
	}
	c, err := cluster.Load(where, l.Root, l.bins)
	if err != nil {
		return err
	}
	return c.Stop(ctx, component, grace(kill, cluster.Grace))
}

func grace(kill bool, polite time.Duration) time.Duration {
	if kill {
		return 0
	}
	return polite
}

// Part is one machine of the lab and the programs in it.
type Part struct {
	Name     string                  `json:"name"`
	Up       bool                    `json:"up"`
	Address  string                  `json:"address"`
	Programs []machine.ProgramStatus `json:"programs"`
}

// Status looks at everything that should run.
func (l *Lab) Status(ctx context.Context) []Part {
	parts := []Part{l.part(ctx, HubName, layout.SharedIP, l.hub.Machine, hub.Components())}
	for _, c := range l.Clusters() {
		m := cluster.New(c, l.Root, l.bins).Machine
		parts = append(parts, l.part(ctx, c.Name, c.APIServer(), m, cluster.Components(c)))
	}
	return parts
}

func (l *Lab) part(ctx context.Context, name, addr string, m *machine.Machine, want []string) Part {
	p := Part{Name: name, Address: addr}
	have, err := m.Status(ctx)
	p.Up = err == nil
	byName := map[string]machine.ProgramStatus{}
	for _, s := range have {
		byName[s.Name] = s
	}
	for _, n := range want {
		s, ok := byName[n]
		if !ok {
			s = machine.ProgramStatus{Name: n}
		}
		p.Programs = append(p.Programs, s)
	}
	return p
}

// LogFile finds the log of WHERE/COMPONENT, or of a component that only one part has.
func (l *Lab) LogFile(name string) (string, error) {
	where, component, ok := strings.Cut(name, "/")
	if !ok {
		where, component = HubName, name
	}
	dir := l.Root.Hub()
	if where != HubName {
		dir = l.Root.Cluster(where)
	}
	path := filepath.Join(dir, "log", filepath.Base(component)+".log")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no log of %s: %w", name, err)
	}
	return path, nil
}

// Kubectl is the client that fits the clusters.
func (l *Lab) Kubectl() string { return filepath.Join(l.bins.Kubernetes, "kubectl") }

// lock keeps two commands from booting and removing at the same time. There is
// one lab on a machine, whatever its root: the addresses are the same.
func (l *Lab) lock() (unlock func(), err error) {
	if err := os.MkdirAll(l.builder.Cache, 0o755); err != nil {
		return nil, fmt.Errorf("lock lab: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(l.builder.Cache, "lab.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock lab: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return func() { f.Close() }, nil
	}
	l.Say("waiting for another lab command to finish")
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock lab: %w", err), f.Close())
	}
	return func() { f.Close() }, nil
}

// sweep removes what belongs to no folder any more: machines below root whose
// folder was removed by hand, and names of clusters that are gone. What a lab
// with another root uses is left alone.
func sweep(ctx context.Context, root layout.Root) error {
	if err := machine.KillBelow(ctx, string(root)); err != nil {
		return err
	}
	live, err := machine.Live()
	if err != nil {
		return err
	}
	inUse := map[string]bool{} // by a lab with another root
	for _, s := range live {
		inUse[s.Name] = true
		if s.Net != nil {
			inUse[s.Net.Link] = true
		}
	}
	for i := 1; i <= layout.MaxIndex; i++ {
		if c := (layout.Cluster{Index: i}); !inUse[c.Link()] {
			err = errors.Join(err, machine.RemoveLink(ctx, c.Link()))
		}
	}
	names, gerr := filepath.Glob("/run/netns/lab-*")
	cgroups, cerr := machine.CgroupNames("lab-")
	err = errors.Join(err, gerr, cerr)
	for _, n := range append(names, cgroups...) {
		if name := filepath.Base(n); !inUse[name] {
			err = errors.Join(err, machine.RemoveNames(ctx, name))
		}
	}
	return err
}
