// Command demo walks a sample service through three stories on the lab and leaves the
// server running, so that people can look at what happened in the console.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("dir", "/var/lib/seatrial-demo", "folder of everything the demo keeps")
	bin := flags.String("bin", "bin", "folder of the binaries")
	down := flags.Bool("down", false, "stop the demo's server and remove its folder")
	if flags.Parse(args) != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := remove(*dir)
	if err == nil && !*down {
		err = walk(ctx, *dir, *bin, out)
	}
	if err != nil {
		fmt.Fprintln(errs, "error:", err)
		return 1
	}
	return 0
}

const pidFile = "server.pid"

// remove ends what an earlier demo left.
func remove(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
			end(pid, dir)
		}
	}
	if !ours(dir) {
		return fmt.Errorf("remove %s: it holds no demo; name another folder with --dir", dir)
	}
	return os.RemoveAll(dir)
}

// ours: the folder is missing, empty or holds a demo.
func ours(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return true
	}
	_, err = os.Stat(filepath.Join(dir, "seatrial.yaml"))
	return err == nil
}

// end stops the process when it still is the demo's server.
func end(pid int, dir string) {
	isServer := func() bool {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return err == nil && strings.Contains(string(line), filepath.Join(dir, "seatrial.yaml"))
	}
	if !isServer() {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	for range 100 {
		if !isServer() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// story is one commit and what becomes of it.
type story struct {
	title, message string
	change         func(*rig.Service) error
	end            release.Phase
	env            release.Env // where it is rolled back
}

var stories = [...]story{
	{title: "a good commit", message: "shop: sell good rope", change: func(*rig.Service) error { return nil }, end: release.Done},
	{title: "breaks only while a pod dies", message: "shop: cache prices", end: release.RolledBack, env: "staging",
		change: func(s *rig.Service) error { return s.Change("2-cold-cache") }},
	{title: "breaks only on the prod canary", message: "shop: prices with a currency", end: release.RolledBack, env: "prod",
		change: func(s *rig.Service) error { return errors.Join(s.Restore(), s.Change("3-currency")) }},
}

func walk(ctx context.Context, dir, bin string, out io.Writer) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(out, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	say("preparing the forge, the platform repo and the server")
	r, err := rig.Open(ctx, rig.Config{Seatrial: filepath.Join(bin, "seatrial"), Lab: filepath.Join(bin, "lab"), Examples: "examples", Dir: dir, Say: say})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, pidFile), []byte(strconv.Itoa(r.PID())), 0o600); err != nil {
		return err
	}
	shop, err := r.Add(ctx, "shop/web")
	if err != nil {
		return err
	}
	var ended []release.Release
	for i, s := range stories {
		fmt.Fprintf(out, "\nStory %d: %s\n", i+1, s.title)
		rel, err := s.tell(ctx, r, shop, say)
		if err != nil {
			return err
		}
		ended = append(ended, rel)
	}
	table(out, ended)
	user, password := r.SignIn()
	fmt.Fprintf(out, "\nConsole   %s\nSign in   %s / %s\nForge     %s (user %s, password in %s)\nRemove    make demo-down\n",
		r.URL(), user, password, r.Lab.Forge.URL, r.Lab.Forge.User, r.Lab.Forge.PasswordFile)
	return nil
}

func (s story) tell(ctx context.Context, r *rig.Rig, shop *rig.Service, say func(string, ...any)) (release.Release, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := s.change(shop); err != nil {
		return release.Release{}, err
	}
	id, err := shop.Push(ctx, s.message)
	if err != nil {
		return release.Release{}, err
	}
	seen := ""
	rel, err := r.API.Await(ctx, id, func(now release.Release) {
		if text := standing(now); text != seen {
			say("%s", text)
			seen = text
		}
	}, func(now release.Release) bool { return now.Phase.Final() })
	if err != nil {
		return rel, err
	}
	if rel.Phase != s.end || (s.env != "" && rel.Env() != s.env) {
		return rel, fmt.Errorf("story %q ended %s in %s, want %s %s: %s", s.title, rel.Phase, rel.Env(), s.end, s.env, rel.Reason)
	}
	return rel, nil
}

func standing(r release.Release) string {
	text := r.Phase.String()
	if r.Phase > release.Checking {
		text += " in " + string(r.Env())
	}
	if r.Phase == release.Deploying {
		text += fmt.Sprintf(", wave %s: %s", r.WaveName(), r.Step)
	}
	if r.Reason != "" {
		text += "  – " + r.Reason
	}
	return text
}

// table prints what happened, with times.
func table(out io.Writer, list []release.Release) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STORY\tRELEASE\tENDED\tPUSH TO STAGING\tPUSH TO PROD\tREFUSED TO ROLLED BACK")
	for i, r := range list {
		ended := r.Phase.String()
		if r.Phase == release.RolledBack {
			ended += " in " + string(r.Env())
		}
		staging, prod, back := "–", "–", "–"
		for _, s := range r.Stages {
			if s.Env == "staging" {
				staging = between(r.Created, s.Verified)
			} else {
				prod = between(r.Created, s.Verified)
			}
			if !s.Returned.IsZero() {
				back = between(s.Refused, s.Returned)
			}
		}
		fmt.Fprintf(w, "%d %s\t%s\t%s\t%s\t%s\t%s\n", i+1, stories[i].title, r.ID, ended, staging, prod, back)
	}
	w.Flush()
}

func between(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return "–"
	}
	return fmt.Sprintf("%.1f s", to.Sub(from).Seconds())
}
