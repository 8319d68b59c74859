package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const pollEvery = 40 * time.Millisecond

type stopError struct{ error }

func (e stopError) Unwrap() error { return e.error }

// Stop marks an error that no further try can mend.
func Stop(err error) error { return stopError{err} }

// Poll calls check until it passes, says Stop, or limit is over; the error is
// then what check said last.
func Poll(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if _, stop := errors.AsType[stopError](err); stop {
			return err
		}
		// The deadline's own error says less than the one before it.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", limit, last)
		case <-tick.C:
		}
	}
}

// maxLog bounds a log file between two starts of its program.
const maxLog = 16 << 20

// openLog opens a log for appending; one that grew too long is set aside.
func openLog(path string) (*os.File, error) {
	if st, err := os.Stat(path); err == nil && st.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// readEnd reads at most limit bytes from the end of a file.
func readEnd(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		if _, err := f.Seek(-limit, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
