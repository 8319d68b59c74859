// Package mariadbtest runs a real MariaDB for tests: of the fault that takes connections
// away, and of the whole platform.
//
// Start at Start. It never listens beyond the loopback, and leaves nothing behind.
package mariadbtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Server is one of its own. Its data is gone with Stop.
type Server struct {
	Address string  // host:port
	Root    *sql.DB // through its socket

	server *exec.Cmd
	dir    string
}

// Start starts a server on a port of the loopback, and runs the statements as root.
func Start(ctx context.Context, port int, statements ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "seatrial-db-")
	if err != nil {
		return nil, err
	}
	m := &Server{Address: "127.0.0.1:" + strconv.Itoa(port), dir: dir}
	if err := m.start(ctx, port, statements); err != nil {
		m.Stop()
		return nil, fmt.Errorf("start MariaDB: %w", err)
	}
	return m, nil
}

func (m *Server) start(ctx context.Context, port int, statements []string) error {
	as, err := nobody(m.dir)
	if err != nil {
		return err
	}
	data, socket := filepath.Join(m.dir, "data"), filepath.Join(m.dir, "s")
	install := exec.CommandContext(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	install.SysProcAttr, install.Dir = as, "/"
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	m.server = exec.Command("mariadbd", "--no-defaults", "--datadir="+data, "--socket="+socket, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port),
		"--pid-file="+filepath.Join(m.dir, "pid"), "--innodb-buffer-pool-size=16M", "--performance-schema=OFF")
	m.server.SysProcAttr, m.server.Dir = as, "/"
	if err := m.server.Start(); err != nil {
		return err
	}
	if m.Root, err = open("root", "", "unix", socket); err != nil {
		return err
	}
	err = m.await(ctx)
	for _, s := range statements {
		if err == nil {
			_, err = m.Root.ExecContext(ctx, s)
		}
	}
	return err
}

// await waits until the server answers.
func (m *Server) await(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := m.Root.PingContext(limited)
		if err == nil {
			return nil
		}
		select {
		case <-limited.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// nobody is who the server runs as: it refuses to be root.
func nobody(dir string) (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return as, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid) // of passwd: a number
	gid, _ := strconv.Atoi(u.Gid)
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, os.Chown(dir, uid, gid)
}

func open(name, password, network, address string) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.Logger = &mysql.NopLogger{}
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = name, password, network, address
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// As connects as a user; connections are not kept for later.
func (m *Server) As(name, password string) (*sql.DB, error) {
	db, err := open(name, password, "tcp", m.Address)
	if err == nil {
		db.SetMaxIdleConns(0)
	}
	return db, err
}

// Limit is how many connections a user may have; 0: as many as it likes.
func (m *Server) Limit(ctx context.Context, name string) (n int, err error) {
	err = m.Root.QueryRowContext(ctx, "SELECT max_user_connections FROM mysql.user WHERE User = ?", name).Scan(&n)
	return n, err
}

// Stop ends the server and removes its data.
func (m *Server) Stop() {
	if m.Root != nil {
		_ = m.Root.Close()
	}
	if m.server != nil && m.server.Process != nil {
		_ = m.server.Process.Kill()
		_ = m.server.Wait()
	}
	_ = os.RemoveAll(m.dir)
}
