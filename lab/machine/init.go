package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Init is the first process of a machine; it ends only by being killed. It
// reads the machine's description from dir, builds the private root and then
// serves requests.
func Init(dir string) error {
	if os.Getpid() != 1 {
		return errors.New("init: this is not the first process of a namespace")
	}
	b, err := os.ReadFile(filepath.Join(dir, "machine.json"))
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	var spec Spec
	if err := json.Unmarshal(b, &spec); err != nil {
		return fmt.Errorf("init: read description: %w", err)
	}
	if err := buildRoot(spec); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := syscall.Sethostname([]byte(spec.Hostname)); err != nil {
		return fmt.Errorf("init: set hostname: %w", err)
	}
	if spec.Net != nil {
		if err := forwardPackets(); err != nil {
			return fmt.Errorf("init: %w", err)
		}
	}
	socket := filepath.Join(dir, "init.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	s := &supervisor{dir: dir, programs: map[string]*program{}, waits: map[int]chan syscall.WaitStatus{}}
	child := make(chan os.Signal, 16)
	signal.Notify(child, syscall.SIGCHLD)
	go s.reap(child)
	srv := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	return fmt.Errorf("init: %w", srv.Serve(l))
}

// supervisor starts programs for a machine and remembers how they ended.
type supervisor struct {
	dir string

	mu       sync.Mutex // guards what follows, and the moment between fork and entry
	programs map[string]*program
	waits    map[int]chan syscall.WaitStatus // commands somebody waits for
}

type program struct {
	ProgramStatus
	done chan struct{}
}

func (s *supervisor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /start", func(w http.ResponseWriter, r *http.Request) {
		var p Program
		reply(w, nil, errors.Join(decode(r, &p), s.start(&p)))
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, r *http.Request) {
		grace, err := time.ParseDuration(r.FormValue("grace"))
		if err == nil {
			err = s.stop(r.Context(), r.FormValue("name"), grace)
		}
		reply(w, nil, err)
	})
	mux.HandleFunc("POST /run", func(w http.ResponseWriter, r *http.Request) {
		var p Program
		if err := decode(r, &p); err != nil {
			reply(w, nil, err)
			return
		}
		res, err := s.run(r.Context(), &p)
		reply(w, res, err)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.status(), nil) })
	return mux
}

func decode(r *http.Request, v any) error {
	return json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(v)
}

func reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		slog.Info("reply", "error", err)
	}
}

func (s *supervisor) start(p *Program) error {
	if p.Name == "" || len(p.Argv) == 0 {
		return errors.New("a program needs a name and a command")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.programs[p.Name]; ok && old.Running {
		return nil
	}
	log, err := openLog(filepath.Join(s.dir, "log", p.Name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	pid, err := fork(p, log, log)
	if err != nil {
		return err
	}
	st := ProgramStatus{Name: p.Name, PID: pid, Running: true, Started: time.Now()}
	s.programs[p.Name] = &program{ProgramStatus: st, done: make(chan struct{})}
	return nil
}

// fork starts a process in a session of its own; nobody waits for it here.
func fork(p *Program, stdout, stderr *os.File) (pid int, err error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	env := append(slices.Clone(p.Env), baseEnv(p.Env)...)
	path, err := lookPath(p.Argv[0], env)
	if err != nil {
		return 0, err
	}
	attr := &syscall.SysProcAttr{Setsid: true}
	if p.UID != 0 {
		attr.Credential = &syscall.Credential{Uid: p.UID, Gid: p.UID}
	}
	dir := p.Dir
	if dir == "" {
		dir = "/"
	}
	return syscall.ForkExec(path, p.Argv, &syscall.ProcAttr{
		Dir: dir, Env: env, Files: []uintptr{null.Fd(), stdout.Fd(), stderr.Fd()}, Sys: attr,
	})
}

// baseEnv holds the variables every program gets unless it sets them itself.
func baseEnv(own []string) []string {
	var env []string
	for _, v := range []string{"PATH=" + os.Getenv("PATH"), "HOME=/root"} {
		name := v[:strings.IndexByte(v, '=')+1]
		if !slices.ContainsFunc(own, func(o string) bool { return strings.HasPrefix(o, name) }) {
			env = append(env, v)
		}
	}
	return env
}

func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, v := range env {
		dirs, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, d := range filepath.SplitList(dirs) {
			if st, err := os.Stat(filepath.Join(d, name)); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return filepath.Join(d, name), nil
			}
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// reap collects every child, ours or orphaned, as the first process must.
func (s *supervisor) reap(child <-chan os.Signal) {
	for range child {
		for s.reapOne() {
		}
	}
}

func (s *supervisor) reapOne() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ws syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
	if err == syscall.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	if c, ok := s.waits[pid]; ok {
		delete(s.waits, pid)
		c <- ws
	}
	for _, p := range s.programs {
		if p.PID == pid && p.Running {
			p.Running, p.Exit = false, describeExit(ws)
			close(p.done)
		}
	}
	return true
}

func describeExit(ws syscall.WaitStatus) string {
	if ws.Signaled() {
		return "signal " + ws.Signal().String()
	}
	return fmt.Sprintf("exit %d", ws.ExitStatus())
}

func (s *supervisor) stop(ctx context.Context, name string, grace time.Duration) error {
	s.mu.Lock()
	p, ok := s.programs[name]
	running := ok && p.Running
	s.mu.Unlock()
	if !running {
		return nil
	}
	if grace > 0 {
		if err := s.signal(p, syscall.SIGTERM); err != nil {
			return err
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(grace):
		case <-ctx.Done():
		}
	}
	if err := s.signal(p, syscall.SIGKILL); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("still there 5 s after SIGKILL")
	}
}

// signal sends sig unless the program is gone; under the lock its pid cannot be reused.
func (s *supervisor) signal(p *program, sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.Running {
		return nil
	}
	return syscall.Kill(p.PID, sig)
}

func (s *supervisor) run(ctx context.Context, p *Program) (runResult, error) {
	if len(p.Argv) == 0 {
		return runResult{}, errors.New("no command")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return runResult{}, err
	}
	defer r.Close()
	done := make(chan syscall.WaitStatus, 1)
	s.mu.Lock()
	pid, err := fork(p, w, w)
	if err == nil {
		s.waits[pid] = done
	}
	s.mu.Unlock()
	if err = errors.Join(err, w.Close()); err != nil {
		return runResult{}, err
	}
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	var out bytes.Buffer
	if _, err := io.Copy(&out, io.LimitReader(r, 2<<20)); err != nil && ctx.Err() == nil {
		return runResult{}, err
	}
	select {
	case ws := <-done:
		return runResult{Exit: exitCode(ws), Output: out.String()}, nil
	case <-ctx.Done():
		return runResult{}, errors.Join(ctx.Err(), syscall.Kill(-pid, syscall.SIGKILL))
	}
}

func exitCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

func (s *supervisor) status() []ProgramStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]ProgramStatus, 0, len(s.programs))
	for _, p := range s.programs {
		st := p.ProgramStatus
		if st.Running {
			if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", st.PID)); err == nil {
				st.RSSKiB = parseRSS(string(b))
			}
		}
		all = append(all, st)
	}
	slices.SortFunc(all, func(a, b ProgramStatus) int { return strings.Compare(a.Name, b.Name) })
	return all
}
