// Package webhook measures how many signed deliveries a second are accepted durably, and
// how that compares with a handler that keeps nothing.
//
// Start at Run. It never needs the lab: the receiver and the store are the real ones, the
// forge is a client of our own.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/store/bolt"
)

// Config says how long and where.
type Config struct {
	Dir         string // of the store's file; on a real disk
	Runs        int
	For         time.Duration // of each run, after a warm-up of a quarter of it
	Connections int
	Profile     string // file for a CPU profile of the last run of ours; empty: none
}

const (
	wantRate = 2000 // deliveries a second
	wantP99  = 50   // ms
	bodySize = 6 << 10
)

// Run alternates between a bare handler and ours.
func Run(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	none := figure.Report{}
	dir, err := os.MkdirTemp(c.Dir, "webhook-")
	if err != nil {
		return none, err
	}
	defer os.RemoveAll(dir)
	busy := load()
	floor, err := syncs(dir)
	if err != nil {
		return none, err
	}
	db, err := bolt.Open(filepath.Join(dir, "db"))
	if err != nil {
		return none, err
	}
	defer db.Close()
	handler, err := ours(db)
	if err != nil {
		return none, err
	}
	our, stop, err := serve(ctx, handler)
	if err != nil {
		return none, err
	}
	defer stop()
	plain, stopPlain, err := serve(ctx, bare())
	if err != nil {
		return none, err
	}
	defer stopPlain()
	var kept, ref []run
	for i := range c.Runs {
		r, err := measure(ctx, c, plain, i)
		if err != nil {
			return none, fmt.Errorf("bare handler: %w", err)
		}
		ref = append(ref, r)
		r, err = profiled(c.Profile, func() (run, error) { return measure(ctx, c, our, i) })
		if err != nil {
			return none, fmt.Errorf("receiver: %w", err)
		}
		kept = append(kept, r)
		fmt.Fprintf(say, "run %d: kept %.0f/s, p99 %s; bare %.0f/s, p99 %s\n", i+1, r.rate, r.P99.Round(time.Millisecond/10), ref[i].rate, ref[i].P99.Round(time.Millisecond/10))
	}
	return report(c, kept, ref, floor, busy), onDisk(ctx, db, kept)
}

// run is what one run gave.
type run struct {
	hits
	rate   float64 // accepted a second
	server time.Duration
}

func measure(ctx context.Context, c Config, address string, number int) (run, error) {
	text := body(bodySize)
	before := cpu()
	h, err := fire(ctx, shot{Address: address, Path: "/hooks/gitea", Connections: c.Connections, Warm: c.For / 4, For: c.For, Run: number,
		Signature: sign(text), Body: text})
	return run{hits: h, rate: float64(h.Accepted) / h.Took.Seconds(), server: cpu() - before}, err
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func report(c Config, kept, ref []run, floor time.Duration, busy string) figure.Report {
	rate := func(r run) float64 { return r.rate }
	p50 := func(r run) float64 { return ms(r.P50) }
	p99 := func(r run) float64 { return ms(r.P99) }
	client := func(r run) float64 { return 100 * r.CPU.Seconds() / (r.Took.Seconds() * 1.25) }
	server := func(r run) float64 { return 100 * r.server.Seconds() / (r.Took.Seconds() * 1.25) }
	const against = "bare net/http handler"
	return figure.Report{Name: "webhook", Notes: []string{
		fmt.Sprintf("Signed Gitea pushes of %d bytes with distinct delivery ids from %d keep-alive connections, one delivery under way on each.", len(body(bodySize)), c.Connections),
		"Ours: web/hooks behind net/http, each push and its delivery id in one transaction of store/bolt, on disk before the answer; pushes stay queued.",
		"Bare: a net/http handler that reads the body and answers 202, on another port of the same process.",
		fmt.Sprintf("Medians of %d runs of %s each, alternating, after a warm-up of %s; one store for all runs. Load average before: %s; %d processors.",
			c.Runs, c.For, c.For/4, busy, runtime.NumCPU()),
		"The client is another process with one thread, that writes prepared bytes to sockets; its CPU is listed, and is taken from the same processors.",
	}, Figures: []figure.Figure{
		figure.Of("deliveries accepted on disk", of(kept, rate), "1/s").To(against, of(ref, rate)).AtLeast(wantRate),
		figure.Of("time to the answer, p50", of(kept, p50), "ms").To(against, of(ref, p50)),
		figure.Of("time to the answer, p99", of(kept, p99), "ms").To(against, of(ref, p99)).AtMost(wantP99),
		figure.Of("CPU of the server", of(kept, server), "% of one processor").To(against, of(ref, server)),
		figure.Of("CPU of the client", of(kept, client), "% of one processor").To(against, of(ref, client)),
		figure.Of("a write of 4 KiB and fdatasync on this disk, p50", ms(floor), "ms"),
	}}
}

func of(runs []run, what func(run) float64) float64 {
	var all []float64
	for _, r := range runs {
		all = append(all, what(r))
	}
	return figure.Median(all)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(data))[:3], " ")
}

// onDisk looks whether everything that was accepted is in the store.
func onDisk(ctx context.Context, db *bolt.DB, kept []run) error {
	accepted, found := 0, 0
	for _, r := range kept {
		accepted += r.Accepted
	}
	for after := ""; ; {
		page, err := db.List(ctx, "push/", after, 1000)
		if err != nil {
			return err
		}
		if found += len(page); len(page) == 0 {
			break
		}
		after = page[len(page)-1].Key
	}
	if found < accepted {
		return fmt.Errorf("%d deliveries were accepted and %d are in the store", accepted, found)
	}
	return nil
}

// syncs is how long this disk takes to keep 4 KiB. A file system in memory keeps nothing.
func syncs(dir string) (time.Duration, error) {
	const inMemory = 0x01021994
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	if fs.Type == inMemory {
		return 0, fmt.Errorf("%s is in memory (tmpfs): name a folder on a disk", dir)
	}
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var took []float64
	page := make([]byte, 4<<10)
	for range 200 {
		began := time.Now()
		_, err := f.WriteAt(page, 0)
		if err = errors.Join(err, syscall.Fdatasync(int(f.Fd()))); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began)))
	}
	return time.Duration(figure.Median(took)), nil
}

// profiled runs do, and writes its CPU profile to a file when one is named.
func profiled(name string, do func() (run, error)) (run, error) {
	if name == "" {
		return do()
	}
	file, err := os.Create(name)
	if err != nil {
		return run{}, err
	}
	defer file.Close()
	if err := pprof.StartCPUProfile(file); err != nil {
		return run{}, err
	}
	defer pprof.StopCPUProfile()
	return do()
}
