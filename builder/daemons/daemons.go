// Package daemons chooses the buildkitd that a build runs on, and connects to it.
//
// Start at Pool.Dial. It never builds anything, and never uses a buildkitd with known
// holes.
package daemons

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"golang.org/x/mod/semver"

	"github.com/seatrial/seatrial/internal/hint"
)

const minBuildKit = "v0.28.1" // older ones let a frontend write outside the state folder

// Daemon is a connection to a buildkitd.
type Daemon struct {
	*client.Client
	Address string
	Version string
}

// dial connects and asks for the version; a buildkitd with known holes is not used.
func dial(ctx context.Context, address string) (*Daemon, error) {
	c, err := client.New(ctx, address)
	if err != nil {
		return nil, Unreachable(address, err)
	}
	ask, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	info, err := c.Info(ask)
	if err != nil {
		c.Close()
		return nil, Unreachable(address, err)
	}
	v := info.BuildkitVersion.Version
	if !recent(v) {
		c.Close()
		return nil, hint.Add(fmt.Errorf("buildkitd at %s is version %s, at least %s is needed", address, v, minBuildKit), "update buildkitd")
	}
	return &Daemon{Client: c, Address: address, Version: v}, nil
}

// platforms asks what its workers run, with or without an emulator.
func (d *Daemon) platforms(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	workers, err := d.ListWorkers(ctx)
	if err != nil {
		return nil, Unreachable(d.Address, err)
	}
	names := []string{}
	for _, w := range workers {
		for _, p := range w.Platforms {
			names = append(names, platforms.Format(p))
		}
	}
	return names, nil
}

// recent judges a version. One that was built without a number, as "go build" does from
// a module, says v0.0.0+unknown and cannot be judged.
func recent(v string) bool {
	if !strings.HasPrefix(v, "v") {
		v = "v" + v
	}
	return strings.HasPrefix(v, "v0.0.0") || semver.IsValid(v) && semver.Compare(v, minBuildKit) >= 0
}

// Unreachable is the error of a buildkitd that does not answer, without what gRPC says
// around it.
func Unreachable(address string, err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, "desc = "); i >= 0 { // it is said twice
		text = strings.Trim(text[i+len("desc = "):], `"`)
	}
	return hint.Add(fmt.Errorf("buildkitd at %s does not answer: %s", address, text), "start buildkitd, or correct its address in the server's settings")
}

// Ping asks a buildkitd for its version; an error says why builds would have to wait.
func Ping(ctx context.Context, address string) (version string, err error) {
	d, err := dial(ctx, address)
	if err != nil {
		return "", err
	}
	return d.Version, d.Close()
}
