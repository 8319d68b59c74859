package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const (
	wantLog    = 1.05      // of the time without a reader
	logRate    = 100 << 20 // bytes a second
	logSeconds = 2
	mib        = 1 << 20
)

// logged measures what a build's output costs it at 100 MB/s: without a reader, and with
// one that takes the first lines and never comes back.
func logged(ctx context.Context, c Config, say io.Writer) (figures []figure.Figure, err error) {
	dir, err := os.MkdirTemp(c.Dir, "logs-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	book, err := logs.Open(dir, logs.Config{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	var with, without []float64
	var most uint64
	for i := range 5 {
		alone, _, err := flood(ctx, book, release.ID(fmt.Sprintf("bench.log.alone%d", i)), false)
		if err != nil {
			return nil, err
		}
		read, grown, err := flood(ctx, book, release.ID(fmt.Sprintf("bench.log.read%d", i)), true)
		if err != nil {
			return nil, err
		}
		without, with, most = append(without, ms(alone)), append(with, ms(read)), max(most, grown)
		fmt.Fprintf(say, "%d MiB of output: %.0f ms with a stalled reader, %.0f ms without one\n", logSeconds*logRate/mib, ms(read), ms(alone))
	}
	return []figure.Figure{
		ratio(fmt.Sprintf("log of %d MiB at 100 MiB/s with a stalled reader", logSeconds*logRate/mib), with, "the same without a reader", without, wantLog),
		figure.Of("the same, heap more than before", float64(most)/mib, "MiB"),
	}, nil
}

// flood writes a log at the rate, as a solve does, and says how long that took and how
// much the heap has grown at its largest.
func flood(ctx context.Context, book *logs.Book, id release.ID, reader bool) (took time.Duration, grown uint64, err error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	log, err := book.Start(id, logs.NewMasker(secret.Text("a secret of the build")))
	if err != nil {
		return 0, 0, err
	}
	stalled := make(chan struct{})
	if reader {
		go func() {
			_ = book.Subscribe(ctx, id, 0, func([]logs.Line) error {
				close(stalled)
				<-ctx.Done()
				return ctx.Err()
			})
		}()
	}
	chunk := bytes.Repeat([]byte("go: this line stands for what a talkative step prints, one hundred bytes of it at a time, again....\n"), 640)
	log.Write("[1/1] RUN", "stdout", chunk[:100])
	if reader {
		<-stalled
	}
	before := heap()
	begin := time.Now()
	for sent := 0; sent < logSeconds*logRate; sent += len(chunk) {
		log.Write("[1/1] RUN", "stdout", chunk)
		if sent%(16*mib) < len(chunk) {
			now := heap()
			grown = max(grown, now-min(now, before))
		}
		time.Sleep(time.Until(begin.Add(time.Duration(float64(sent) / logRate * float64(time.Second)))))
	}
	took = time.Since(begin)
	return took, grown, log.Close("")
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
