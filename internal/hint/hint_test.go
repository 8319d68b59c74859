package hint_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/seatrial/seatrial/internal/hint"
)

func TestOf(t *testing.T) {
	base := errors.New("no route")
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{name: "no error has no hint", err: hint.Add(nil, "x"), want: ""},
		{name: "an error without a hint has none", err: base, want: ""},
		{name: "an empty hint adds nothing", err: hint.Add(base, ""), want: ""},
		{name: "a hint survives wrapping", err: fmt.Errorf("push: %w", hint.Add(base, "log in")), want: "log in"},
		{name: "the hint nearest to the cause wins", err: hint.Add(fmt.Errorf("push: %w", hint.Add(base, "inner")), "outer"), want: "inner"},
		{name: "a joined error gives its first hint", err: errors.Join(base, hint.Add(io.EOF, "b"), hint.Add(io.EOF, "c")), want: "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := hint.Of(c.err); got != c.want {
				t.Errorf("Of = %q, want %q", got, c.want)
			}
		})
	}
}

func TestAddKeepsTheError(t *testing.T) {
	err := hint.Add(fmt.Errorf("read: %w", io.EOF), "try again")
	if err.Error() != "read: EOF" {
		t.Errorf("Error = %q, the hint must not be in it", err)
	}
	if !errors.Is(err, io.EOF) {
		t.Error("errors.Is does not see through the hint")
	}
}
