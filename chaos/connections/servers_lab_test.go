//go:build lab

package connections_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/connections/mariadbtest"
	"github.com/seatrial/seatrial/internal/secret"
)

// database is a real server of its own, on the loopback, in a folder of its own.
type database struct {
	kind  string
	admin secret.Text
	// client connects as the application and holds the connection until it is told to end.
	client func(ctx context.Context) (held, error)
	count  func(t *testing.T) int
	limit  func(t *testing.T) string
}

type held interface {
	ask(ctx context.Context) error
	end()
}

// who runs servers: they refuse to be root.
func who(t *testing.T, name string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatalf("%v (lab deps installs the database)", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func folder(t *testing.T, as *syscall.SysProcAttr) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "seatrial-db-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if as.Credential != nil {
		if err := os.Chown(dir, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func port(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func find(t *testing.T, patterns ...string) string {
	t.Helper()
	for _, p := range patterns {
		if found, _ := filepath.Glob(p); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Fatalf("none of %v is there: run: lab deps", patterns)
	return ""
}

func run(t *testing.T, as *syscall.SysProcAttr, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.SysProcAttr, cmd.Dir = as, "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// serve runs a server until the test is over.
func serve(t *testing.T, as *syscall.SysProcAttr, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr, cmd.Dir = as, "/"
	var said strings.Builder
	cmd.Stderr, cmd.Stdout = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
}

// until asks again until it is so.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func mariadb(t *testing.T) database {
	server, err := mariadbtest.Start(t.Context(), port(t),
		"CREATE USER 'app'@'%' IDENTIFIED BY 'app'", "CREATE USER 'chaos'@'%' IDENTIFIED BY 'pw'", "CREATE USER 'weak'@'%' IDENTIFIED BY 'pw'",
		"GRANT SELECT ON mysql.user TO 'chaos'@'%'", "GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO 'chaos'@'%'", "GRANT SELECT ON mysql.user TO 'weak'@'%'",
		"CREATE USER 'two'@'%' IDENTIFIED BY 'x'", "CREATE USER 'two'@'10.0.0.1' IDENTIFIED BY 'x'")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	app, err := server.As("app", "app")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	return database{
		kind: "mysql", admin: secret.Text("chaos:pw@tcp(" + server.Address + ")/"),
		client: func(ctx context.Context) (held, error) {
			c, err := app.Conn(ctx)
			return sqlConn{c}, err
		},
		count: func(t *testing.T) (n int) {
			scan(t, server.Root.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app' AND COMMAND NOT IN ('Connect', 'Killed')"), &n)
			return n
		},
		limit: func(t *testing.T) string {
			n, err := server.Limit(t.Context(), "app")
			if err != nil {
				t.Fatal(err)
			}
			return strconv.Itoa(n)
		},
	}
}

func scan(t *testing.T, row interface{ Scan(...any) error }, into any) {
	t.Helper()
	if err := row.Scan(into); err != nil {
		t.Fatal(err)
	}
}

type sqlConn struct{ *sql.Conn }

func (c sqlConn) ask(ctx context.Context) error {
	_, err := c.ExecContext(ctx, "DO 1")
	return err
}
func (c sqlConn) end() { _ = c.Close() }

func postgres(t *testing.T) database {
	as := who(t, "nobody")
	dir, at := folder(t, as), port(t)
	data := filepath.Join(dir, "data")
	run(t, as, find(t, "/usr/lib/postgresql/*/bin/initdb"), "-D", data, "-U", "root", "--auth=trust", "--no-sync")
	serve(t, as, find(t, "/usr/lib/postgresql/*/bin/postgres"), "-D", data, "-p", strconv.Itoa(at), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir, "-c", "fsync=off")
	address := func(name string) string {
		return fmt.Sprintf("postgres://%s@127.0.0.1:%d/postgres?sslmode=disable", name, at)
	}
	var root *pgx.Conn
	until(t, 30*time.Second, "PostgreSQL answers", func() (ok bool) {
		c, err := pgx.Connect(t.Context(), address("root"))
		if err == nil {
			root = c
		}
		return err == nil
	})
	t.Cleanup(func() { _ = root.Close(context.WithoutCancel(t.Context())) })
	for _, s := range []string{
		"CREATE ROLE app LOGIN", "CREATE ROLE chaos LOGIN CREATEROLE", "GRANT pg_signal_backend TO chaos", "CREATE ROLE weak LOGIN", "CREATE ROLE boss LOGIN SUPERUSER",
	} {
		if _, err := root.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return database{
		kind: "postgres", admin: secret.Text(address("chaos")),
		client: func(ctx context.Context) (held, error) {
			c, err := pgx.Connect(ctx, address("app"))
			return pgConn{c}, err
		},
		count: func(t *testing.T) (n int) {
			scan(t, root.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"), &n)
			return n
		},
		limit: func(t *testing.T) (s string) {
			scan(t, root.QueryRow(t.Context(), "SELECT rolconnlimit::text FROM pg_roles WHERE rolname = 'app'"), &s)
			return s
		},
	}
}

type pgConn struct{ c *pgx.Conn }

func (c pgConn) ask(ctx context.Context) error {
	_, err := c.c.Exec(ctx, "SELECT 1")
	return err
}
func (c pgConn) end() { _ = c.c.Close(context.Background()) }

// application is eight workers that each want a connection all the time.
type application struct {
	served, starved atomic.Int64
	last            atomic.Value // the last refusal
}

func (a *application) work(t *testing.T, db database) {
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for ctx.Err() == nil {
				a.once(ctx, db)
			}
		})
	}
	t.Cleanup(func() { stop(); workers.Wait() })
}

// once works on a connection for as long as it is left to it, at most a second.
func (a *application) once(ctx context.Context, db database) {
	c, err := db.client(ctx)
	if err != nil {
		if ctx.Err() == nil {
			a.starved.Add(1)
			a.last.Store(err.Error())
		}
		wait(ctx, 20*time.Millisecond)
		return
	}
	defer c.end()
	for began := time.Now(); time.Since(began) < time.Second && ctx.Err() == nil; wait(ctx, 10*time.Millisecond) {
		if c.ask(ctx) != nil {
			return
		}
		a.served.Add(1)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func TestLabAnApplicationStarvesAndRecovers(t *testing.T) {
	for name, start := range map[string]func(*testing.T) database{"MariaDB": mariadb, "PostgreSQL": postgres} {
		t.Run(name, func(t *testing.T) {
			db := start(t)
			var app application
			app.work(t, db)
			until(t, 20*time.Second, "all eight workers have a connection", func() bool { return db.count(t) == 8 })
			if n := app.starved.Load(); n != 0 {
				t.Errorf("%d refusals before anything was limited", n)
			}

			j := &journal{}
			c := provider(db.admin, j)
			o := order(db.kind, 2)
			was := db.limit(t)
			f, err := c.Prepare(t.Context(), o)
			if err != nil || f.Before["limit"] != was || db.limit(t) != was || len(j.kept) != 0 {
				t.Fatalf("preparing changed something or forgot what was: %v %+v %s", err, f, db.limit(t))
			}
			o.Fault = f
			began := time.Now()
			for range 2 { // a repeated order changes nothing more
				if err := c.Inject(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("limited in %.2f s", time.Since(began).Seconds())
			if sight, err := c.Look(t.Context(), f); err != nil || sight.State != chaos.Injected || db.limit(t) != "2" {
				t.Errorf("%v %+v, limit %s", err, sight, db.limit(t))
			}
			starvedBefore := app.starved.Load()
			until(t, 10*time.Second, "refusals", func() bool { return app.starved.Load() > starvedBefore+50 })
			for range 50 {
				if n := db.count(t); n > 3 { // one that is being refused may be counted
					t.Errorf("%d connections while two are allowed", n)
				}
				wait(t.Context(), 10*time.Millisecond)
			}
			t.Logf("served %d, refused %d: %v", app.served.Load(), app.starved.Load(), app.last.Load())

			for range 2 {
				if err := c.Revert(t.Context(), f, chaos.Delete); err != nil {
					t.Fatal(err)
				}
			}
			if sight, err := c.Look(t.Context(), f); err != nil || sight.State != chaos.Gone || sight.Message != "" || db.limit(t) != was || len(j.kept) != 0 {
				t.Errorf("%v %+v, limit %s, want %s; %v", err, sight, db.limit(t), was, j.kept)
			}
			until(t, 10*time.Second, "all eight workers have a connection again", func() bool { return db.count(t) == 8 })
		})
	}
}

func TestLabWhatCannotBeLimitedOrPutBackIsRefusedUntouched(t *testing.T) {
	maria, pg := mariadb(t), postgres(t)
	weak := func(d database) secret.Text {
		return secret.Text(strings.Replace(string(d.admin.Reveal()), "chaos", "weak", 1))
	}
	for _, c := range []struct {
		name, user, want string
		dsn              secret.Text
		db               database
	}{
		{"nobody of that name in MariaDB", "nobody-here", "knows no user mysql/nobody-here@%", maria.admin, maria},
		{"nobody of that name in PostgreSQL", "nobody-here", "knows no user postgres/nobody-here", pg.admin, pg},
		{"a user with two accounts", "two", "the user has 2 accounts", maria.admin, maria},
		{"the user we connect as, MariaDB", "chaos", "lock itself out", maria.admin, maria},
		{"the user we connect as, PostgreSQL", "chaos", "lock itself out", pg.admin, pg},
		{"a superuser", "boss", "does not limit", pg.admin, pg},
		{"an account without rights, MariaDB", "app", "CREATE USER", weak(maria), maria},
		{"an account without rights, PostgreSQL", "app", "permission denied", weak(pg), pg},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &journal{}
			p := provider(c.dsn, j)
			o := order(c.db.kind, 2)
			o.Fault.With["user"] = c.user
			f, err := p.Prepare(t.Context(), o)
			if err == nil {
				o.Fault = f
				err = p.Inject(t.Context(), o)
			}
			if x, ok := errors.AsType[*chaos.CannotInject](err); !ok || !x.Final || !strings.Contains(x.Cause, c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if n := c.db.limit(t); n != "0" && n != "-1" {
				t.Errorf("the limit is %s", n)
			}
			if err := p.Revert(t.Context(), f, chaos.Delete); f.Before != nil && (err != nil || len(j.kept) != 0) {
				t.Errorf("what was never changed is reverted without trouble: %v %v", err, j.kept)
			}
		})
	}
}

// A server that was killed while a user was limited finds that in its journal.
func TestLabAnOrphanedLimitIsPutBackByTheSweep(t *testing.T) {
	db := mariadb(t)
	j := &journal{}
	o := order(db.kind, 1)
	f, err := provider(db.admin, j).Prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Fault = f
	if err := provider(db.admin, j).Inject(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	gone, err := sweeper(provider(db.admin, j)).Sweep(t.Context(), func(string) bool { return false })
	if err != nil || len(gone) != 1 || gone[0].Name != f.Name || db.limit(t) != "0" {
		t.Errorf("%v %v, limit %s", err, gone, db.limit(t))
	}
}
