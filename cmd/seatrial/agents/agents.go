// Package agents lets agents in, runs one, and has the commands about clusters: add one by
// a service account, enrol or revoke an agent.
//
// Start at Open for the server, NewCluster and NewAgent for the commands. It never prints
// a credential but the one-time token that was asked for.
package agents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/hub"
	"github.com/seatrial/seatrial/deployer/hub/authority"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// folder holds what the server knows of agents, below its state.
const folder = "agents"

// World is what the platform says; *world.World is one.
type World interface {
	Agent(cluster string) bool
	Scripts() (release.Commit, map[string]string)
}

// Door is where agents come in.
type Door struct {
	hub.Router
	listen string
}

// Open prepares the door. Where no agent is let in, a cluster that has one is unreachable.
func Open(set settings.Settings, passphrase secret.Text, w World, near *live.Clusters, slots deployer.Slots, healed func(context.Context, deployer.Healed), log *slog.Logger) (*Door, error) {
	c := hub.Config{Agent: w.Agent, Scripts: w.Scripts, Status: set.Path(folder, "connected"), Log: log, Now: time.Now,
		Healed: func(ctx context.Context, cluster string, h wire.Healed) { tell(ctx, slots, healed, cluster, h) }}
	if set.Agents.Listen != "" {
		var err error
		if c.Authority, err = openAuthority(set, passphrase); err != nil {
			return nil, err
		}
	}
	return &Door{Router: hub.Router{Near: near, Hub: hub.New(c), Far: w.Agent}, listen: set.Agents.Listen}, nil
}

func openAuthority(set settings.Settings, passphrase secret.Text) (*authority.Authority, error) {
	return authority.Open(authority.Config{Dir: set.Path(folder), Passphrase: passphrase, Certificates: set.Agents.Certificates.Std(), Now: time.Now})
}

// tell finds the environment of what an agent has healed.
func tell(ctx context.Context, slots deployer.Slots, healed func(context.Context, deployer.Healed), cluster string, h wire.Healed) {
	all, err := slots(ctx)
	if err != nil {
		return // it is in the agent's log
	}
	for _, s := range all {
		if s.Service != h.Service || s.Targets[cluster] != h.Revision {
			continue
		}
		out := deployer.Healed{Service: h.Service, Env: s.Env, Cluster: cluster, Revision: h.Revision, Objects: h.Objects, At: h.At, Took: h.Took}
		if h.Error != "" {
			out.Err = errors.New(h.Error)
		}
		healed(ctx, out)
	}
}

// Run lets agents in until ctx ends.
func (d *Door) Run(ctx context.Context) error {
	if d.listen == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	l, err := net.Listen("tcp", d.listen)
	if err != nil {
		return hint.Add(fmt.Errorf("listen for agents on %s: %w", d.listen, err), "is another server running? set agents.listen to another address")
	}
	return d.Hub.Run(ctx, l)
}

// Names are the clusters that were ever invited or enrolled.
func Names(set settings.Settings) []string {
	files, _ := filepath.Glob(set.Path(folder, "clusters", "*.json")) // the pattern is a good one
	var out []string
	for _, f := range files {
		name := filepath.Base(f)
		out = append(out, name[:len(name)-len(".json")])
	}
	return out
}

// Check says for doctor how a cluster's agent is; the error says what is amiss.
func Check(set settings.Settings, cluster string) (string, error) {
	m := authority.MemberIn(set.Path(folder), cluster)
	switch {
	case !m.Allowed && !m.Invited.IsZero():
		return "", hint.Add(fmt.Errorf("it has a token until %s and did not enrol yet", m.Invited.Format(time.RFC3339)), "start seatrial agent with the token")
	case !m.Allowed:
		return "", hint.Add(errors.New("it is revoked"), "let it in again: seatrial cluster enrol "+cluster)
	}
	s, err := hub.ReadStatus(set.Path(folder, "connected"), cluster, time.Now())
	if err != nil {
		return "", hint.Add(err, "start seatrial agent near the cluster, and see that it reaches "+set.Agents.Listen+" of this server")
	}
	return s.String(), nil
}
