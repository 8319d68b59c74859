package agents

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/cmd/seatrial/world"
	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

func TestWhatAnAgentHealedIsToldInItsEnvironment(t *testing.T) {
	slots := func(context.Context) ([]release.Slot, error) {
		return []release.Slot{
			{Service: "shop/web", Env: "staging", Targets: map[string]release.Commit{"near": "r1"}},
			{Service: "shop/web", Env: "prod", Targets: map[string]release.Commit{"far": "r1"}},
			{Service: "shop/api", Env: "prod", Targets: map[string]release.Commit{"far": "r1"}},
		}, nil
	}
	var told []deployer.Healed
	say := func(h wire.Healed) {
		tell(t.Context(), slots, func(_ context.Context, d deployer.Healed) { told = append(told, d) }, "far", h)
	}
	say(wire.Healed{Service: "shop/web", Revision: "r0"}) // of a revision that it is not on any more
	if len(told) != 0 {
		t.Fatalf("told %+v", told)
	}
	say(wire.Healed{Service: "shop/web", Revision: "r1", Objects: []string{"ConfigMap/web"}, Error: "no"})
	if len(told) != 1 || told[0].Env != "prod" || told[0].Cluster != "far" || told[0].Err == nil || len(told[0].Objects) != 1 {
		t.Errorf("told %+v", told)
	}
	tell(t.Context(), func(context.Context) ([]release.Slot, error) { return nil, errors.New("away") }, nil, "far", wire.Healed{})
}

const pem = `-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIUXqzFSZZoU4JwlXu4JTEbcE5EJBMwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
`

func TestTheTokenIsOursAloneAndTheClusterIsPrinted(t *testing.T) {
	dir := t.TempDir()
	robot := kube.Robot{Server: "https://10.8.0.1:6443", CA: pem, Token: "s3cret"}
	path, err := keepToken(dir, "far", robot)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "s3cret\n" || filepath.Base(path) != "far.token" {
		t.Errorf("%s has %q, %v", path, data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	text := clusterOf("far", robot)
	if strings.Contains(text, "s3cret") || !strings.Contains(text, "\n    -----END CERTIFICATE-----\n") {
		t.Errorf("printed:\n%s", text)
	}
	robot.CA = ""
	if _, err := world.Check(fstest.MapFS{"far.yaml": {Data: []byte(clusterOf("far", robot))}}); err != nil {
		t.Errorf("what is printed is not valid: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "old.kubeconfig"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keepToken(dir, "old", robot); err == nil || !strings.Contains(err.Error(), "has a kubeconfig already") {
		t.Errorf("beside a kubeconfig: %v", err)
	}
}

// one is a platform with one cluster that has an agent.
type one struct{}

func (one) Agent(cluster string) bool                    { return cluster == "far" }
func (one) Scripts() (release.Commit, map[string]string) { return "", nil }
func noSlots(context.Context) ([]release.Slot, error)    { return nil, nil }
func logless() *slog.Logger                              { return slog.New(slog.DiscardHandler) }
func nobody(context.Context, deployer.Healed)            {}
func near(t *testing.T) *live.Clusters                   { return live.New(kube.Open(t.TempDir()), live.Config{}) }

func TestTheDoor(t *testing.T) {
	set := settings.Settings{State: t.TempDir()}
	shut, err := Open(set, "", one{}, near(t), noSlots, nobody, logless())
	if err != nil {
		t.Fatal(err)
	}
	if state, message := shut.Reach(t.Context(), "far"); state != "Unreachable" || !strings.Contains(message, "its agent is not connected") {
		t.Errorf("a shut door: %s, %s", state, message)
	}
	if state, message := shut.Reach(t.Context(), "near"); state != "Unknown" || !strings.Contains(message, "no credentials") {
		t.Errorf("a cluster without an agent: %s, %s", state, message)
	}
	set.Agents.Listen = "127.0.0.1:0"
	if _, err := Open(set, "", one{}, near(t), noSlots, nobody, logless()); err == nil || hint.Of(err) == "" {
		t.Errorf("without a passphrase: %v", err)
	}
	open, err := Open(set, "p", one{}, near(t), noSlots, nobody, logless())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	open.listen = "256.0.0.1:0"
	if err := open.Run(t.Context()); err == nil || hint.Of(err) == "" {
		t.Errorf("an address that is none: %v", err)
	}
}
