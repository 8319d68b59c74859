package machine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/lab/machine"
)

func TestPollTriesUntilItPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		err := machine.Poll(t.Context(), time.Minute, func(context.Context) error {
			if n++; n < 5 {
				return errors.New("not yet")
			}
			return nil
		})
		if err != nil || n != 5 {
			t.Errorf("Poll = %v after %d tries", err, n)
		}
	})
}

func TestPollSaysWhatWasWrongLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := machine.Poll(t.Context(), time.Second, func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return errors.New("port is closed")
		})
		if err == nil || !strings.Contains(err.Error(), "port is closed") || !strings.Contains(err.Error(), "1s") {
			t.Errorf("Poll = %v", err)
		}
	})
}

func TestPollStopsAtAnErrorThatWillStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		err := machine.Poll(t.Context(), time.Hour, func(context.Context) error {
			n++
			return machine.Stop(errors.New("it ended"))
		})
		if err == nil || n != 1 {
			t.Errorf("Poll = %v after %d tries", err, n)
		}
	})
}

func TestTailTakesTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("old\n", 9000)+"one\ntwo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := machine.Tail(path, 2); got != "  | one\n  | two" {
		t.Errorf("Tail = %q", got)
	}
	if got := machine.Tail(path+"none", 2); got != "" {
		t.Errorf("Tail of no file = %q", got)
	}
}
