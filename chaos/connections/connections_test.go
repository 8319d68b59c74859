package connections_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/connections"
	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

type journal struct {
	kept   map[string]chaos.Found
	broken error
}

func (j *journal) Keep(_ context.Context, f chaos.Found) error {
	if j.broken != nil {
		return j.broken
	}
	if j.kept == nil {
		j.kept = map[string]chaos.Found{}
	}
	j.kept[f.Run] = f
	return nil
}

func (j *journal) Kept(context.Context) ([]chaos.Found, error) {
	return slices.Collect(maps.Values(j.kept)), j.broken
}

func (j *journal) Forget(_ context.Context, run string) error {
	delete(j.kept, run)
	return j.broken
}

func provider(dsn secret.Text, j *journal) *connections.Connections {
	return &connections.Connections{
		Secret: func(string) secret.Text { return dsn }, Variable: func(n string) string { return "SEATRIAL_SECRET_" + strings.ToUpper(n) }, Journal: j,
		Open: map[string]connections.Open{"mysql": connections.MySQL, "postgres": connections.Postgres}, Now: time.Now,
	}
}

func order(database string, n int) chaos.Order {
	return chaos.Order{Duration: 30 * time.Second, Release: "shop.web.3f2a91c07d0b", Fault: release.FaultRecord{
		Experiment: "pool", Kind: "ConnectionPool", Action: "limit", Name: "seatrial-pool-0123456789abcdef", Namespace: "shop", Cluster: "staging",
		With: map[string]any{"database": database, "dsnSecret": "db", "user": "app", "connections": n},
	}}
}

// sweeper is a trial whose only faults are these.
func sweeper(c *connections.Connections) *trial.Trial {
	kinds := chaos.Kinds{Finder: nobody{}, Own: map[string]chaos.Provider{"ConnectionPool": c}}
	return &trial.Trial{
		Engine: &chaos.Engine{Provider: kinds, Finder: kinds, Now: time.Now}, Log: slog.New(slog.DiscardHandler),
		Platform: func(context.Context) (chaos.Platform, error) {
			return chaos.Platform{Clusters: map[string]release.Cluster{"staging": {Spec: release.ClusterSpec{Chaos: true}}}}, nil
		},
	}
}

type nobody struct{ chaos.Finder }

func (nobody) Faults(context.Context, string) ([]chaos.Found, error) { return nil, nil }

// server is a database in memory: a limit, and connections that stay until they are ended.
type server struct {
	limit string
	open  int
	sets  []string
	away  error
	unfit error
}

func (s *server) Limit(context.Context) (string, error) {
	if s.unfit != nil {
		return "", s.unfit
	}
	return s.limit, s.away
}

func (s *server) SetLimit(_ context.Context, limit string) error {
	s.limit = limit
	s.sets = append(s.sets, limit)
	return s.away
}
func (s *server) Count(context.Context) (int, error)      { return s.open, s.away }
func (s *server) Trim(_ context.Context, limit int) error { s.open = min(s.open, limit); return s.away }
func (s *server) Bounds(limit string, n int) bool         { return limit == "1" && n >= 1 }
func (s *server) Close(context.Context)                   {}
func (s *server) provider(j *journal) *connections.Connections {
	c := provider("x", j)
	c.Open = map[string]connections.Open{"mysql": func(context.Context, secret.Text, connections.Account) (connections.Server, error) { return s, s.away }}
	return c
}

func prepared(t *testing.T, c *connections.Connections) chaos.Order {
	t.Helper()
	o := order("mysql", 2)
	f, err := c.Prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Fault = f
	return o
}

func TestTheLimitThatWasIsKnownAndKeptBeforeItIsChanged(t *testing.T) {
	s, j := &server{limit: "0", open: 9}, &journal{}
	c := s.provider(j)
	o := prepared(t, c)
	if o.Fault.Before["limit"] != "0" || len(s.sets) != 0 || len(o.Fault.Targets) != 1 || o.Fault.Targets[0] != "mysql/app@%" {
		t.Fatalf("%+v %v", o.Fault, s.sets)
	}
	j.broken = errors.New("the disk is full")
	if err := c.Inject(t.Context(), o); err == nil || len(s.sets) != 0 {
		t.Errorf("it was changed and not kept: %v %v", err, s.sets)
	}
	j.broken = nil
	if err := c.Inject(t.Context(), o); err != nil || s.limit != "2" || s.open != 2 || j.kept[o.Fault.Name].Until.IsZero() {
		t.Errorf("%v: limit %s, %d open, kept %+v", err, s.limit, s.open, j.kept)
	}
	o.Fault.Before = nil
	if err := c.Inject(t.Context(), o); err == nil {
		t.Error("what nobody could put back was changed")
	}
}

func TestOnlyOurOwnChangeIsUndone(t *testing.T) {
	s, j := &server{limit: "0"}, &journal{}
	c := s.provider(j)
	o := prepared(t, c)
	if err := c.Inject(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.limit = "50" // by a person
	sight, err := c.Look(t.Context(), o.Fault)
	if err != nil || sight.State != chaos.Gone || !strings.Contains(sight.Message, `to "50": it is left alone`) {
		t.Errorf("%v %+v", err, sight)
	}
	if err := c.Revert(t.Context(), o.Fault, chaos.Delete); err != nil || s.limit != "50" || len(j.kept) != 0 {
		t.Errorf("%v, limit %s, kept %v", err, s.limit, j.kept)
	}
	s.limit = "7"
	if err := c.Inject(t.Context(), o); err == nil || !strings.Contains(err.Error(), "somebody has changed the limit of mysql/app@% from 0 to 7") {
		t.Errorf("%v", err)
	}
}

func TestTooManyConnectionsAreNotInjected(t *testing.T) {
	s := &server{limit: "2", open: 5}
	f := order("mysql", 2).Fault
	f.Before = map[string]string{"limit": "0"}
	if sight, err := s.provider(&journal{}).Look(t.Context(), f); err != nil || sight.State != chaos.Starting || !strings.Contains(sight.Message, "has 5 connections, the limit is 2") {
		t.Errorf("%v %+v", err, sight)
	}
}

func TestWhatPrepareRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*server, *journal, *connections.Connections, *chaos.Order)
		want   string
	}{
		{"a secret that is not set", func(_ *server, _ *journal, c *connections.Connections, _ *chaos.Order) {
			c.Secret = func(string) secret.Text { return "" }
		}, "secret db is not set: SEATRIAL_SECRET_DB"},
		{"a user the database does not know", func(s *server, _ *journal, _ *connections.Connections, _ *chaos.Order) { s.limit = "" }, "knows no user mysql/app@%"},
		{"a user with less already", func(s *server, _ *journal, _ *connections.Connections, _ *chaos.Order) { s.limit = "1" }, "limited to 1 connections already"},
		{"a user that cannot be limited", func(s *server, _ *journal, _ *connections.Connections, _ *chaos.Order) {
			s.unfit = &connections.Unfit{Reason: "it is a superuser"}
		}, "it is a superuser"},
		{"a user that another run has limited", func(_ *server, j *journal, _ *connections.Connections, o *chaos.Order) {
			other := o.Fault
			other.Name = "seatrial-other"
			_ = j.Keep(context.Background(), chaos.Found{Run: "seatrial-other", Fault: other})
		}, "run seatrial-other has limited the same user already"},
		{"a name that would end the statement", func(_ *server, _ *journal, _ *connections.Connections, o *chaos.Order) {
			o.Fault.With["user"] = "a'; DROP USER b; --"
		}, "want the application's user"},
		{"a host that would", func(_ *server, _ *journal, _ *connections.Connections, o *chaos.Order) {
			o.Fault.With["host"] = "%' --"
		}, "want the host part"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, j := &server{limit: "0"}, &journal{}
			p, o := s.provider(j), order("mysql", 2)
			c.change(s, j, p, &o)
			_, err := p.Prepare(t.Context(), o)
			if x, ok := errors.AsType[*chaos.CannotInject](err); !ok || !x.Final || !strings.Contains(x.Cause, c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if len(s.sets) != 0 {
				t.Errorf("it changed the limit: %v", s.sets)
			}
		})
	}
}

func TestADatabaseThatIsAwayIsAnError(t *testing.T) {
	s := &server{limit: "0", away: errors.New("connection refused")}
	c := s.provider(&journal{})
	o := order("mysql", 2)
	o.Fault.Before = map[string]string{"limit": "0"}
	for name, call := range map[string]func() error{
		"prepare": func() error { _, err := c.Prepare(t.Context(), o); return err },
		"inject":  func() error { return c.Inject(t.Context(), o) },
		"look":    func() error { _, err := c.Look(t.Context(), o.Fault); return err },
		"revert":  func() error { return c.Revert(t.Context(), o.Fault, chaos.Delete) },
	} {
		err := call()
		if _, cannot := errors.AsType[*chaos.CannotInject](err); err == nil || cannot || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASecretIsNeverShown(t *testing.T) {
	for database, dsn := range map[string]secret.Text{"mysql": "root:hunter2@nowhere(", "postgres": "postgres://root:hunter2@[::"} {
		c := provider(dsn, &journal{})
		_, err := c.Prepare(t.Context(), order(database, 2))
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "secret db") {
			t.Errorf("%s: %v", database, err)
		}
	}
}

func TestTheSweepPutsBackWhatIsOverdueThoughItsRunIsActive(t *testing.T) {
	s, j := &server{limit: "0"}, &journal{}
	c := s.provider(j)
	o := prepared(t, c)
	if err := c.Inject(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	active := func(string) bool { return true }
	if gone, err := sweeper(c).Sweep(t.Context(), active); err != nil || len(gone) != 0 || s.limit != "2" {
		t.Errorf("an active run was swept: %v %v", gone, err)
	}
	late := sweeper(c)
	late.Engine.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	if gone, err := late.Sweep(t.Context(), active); err != nil || len(gone) != 1 || s.limit != "0" || len(j.kept) != 0 {
		t.Errorf("%v %v, limit %s", gone, err, s.limit)
	}
}
