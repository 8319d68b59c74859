package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seatrial/seatrial/deployer/render/source"
	"github.com/seatrial/seatrial/deployer/render/wire"
	"github.com/seatrial/seatrial/internal/hint"
)

func files() *source.Tree {
	return source.New(fstest.MapFS{"a/b.yaml": &fstest.MapFile{Data: []byte("\x00\xffb")}}, source.Limits{Files: 10, Bytes: 100})
}

// talk connects a child that does do with a parent, and gives what the parent got.
func talk(t *testing.T, ready error, do func(job json.RawMessage, files source.Files) (any, error)) (string, error) {
	t.Helper()
	toChild, fromParent := io.Pipe()
	toParent, fromChild := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = fromChild.CloseWithError(wire.Serve(toChild, fromChild, ready, do))
	}()
	defer func() {
		toParent.Close()
		toChild.Close()
		<-ended
	}()
	c := wire.Dial(toParent, fromParent, 1<<16)
	if err := c.Ready(); err != nil {
		return "", err
	}
	raw, err := c.Drive("the job", files())
	return string(raw), err
}

func TestTheChildGetsWhatItAsksFor(t *testing.T) {
	got, err := talk(t, nil, func(job json.RawMessage, files source.Files) (any, error) {
		data, err := files.Read("a/b.yaml")
		if err != nil {
			return nil, err
		}
		list, err := files.List("a")
		if err != nil {
			return nil, err
		}
		what, err := files.Stat("a")
		if err != nil {
			return nil, err
		}
		_, gone := files.Read("gone")
		_, outside := files.Read("../x")
		return fmt.Sprintf("%s %q %v %s, %v, %v", job, data, list, what, gone, outside), nil
	})
	const want = `"\"the job\" \"\\x00\\xffb\" [{b.yaml false}] folder, file gone is not in the repository, \"../x\" is outside of the repository"`
	if err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestErrorsArriveWithTheirHints(t *testing.T) {
	_, err := talk(t, nil, func(json.RawMessage, source.Files) (any, error) {
		return nil, hint.Add(errors.New("broken"), "mend it")
	})
	if told, ok := errors.AsType[wire.Told](err); !ok || told.Error() != "broken" || hint.Of(err) != "mend it" {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
	if _, err := talk(t, errors.New("no namespaces"), nil); err == nil || !strings.Contains(err.Error(), "no namespaces") {
		t.Errorf("got %v", err)
	}
}

func TestTheParentHearsOnlySoMuch(t *testing.T) {
	if _, err := talk(t, nil, func(json.RawMessage, source.Files) (any, error) { return strings.Repeat("x", 1<<17), nil }); !errors.Is(err, wire.ErrLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := talk(t, nil, func(_ json.RawMessage, files source.Files) (any, error) {
		for {
			if _, err := files.Stat("a"); err != nil {
				return nil, err
			}
		}
	}); !errors.Is(err, wire.ErrLarge) {
		t.Errorf("of questions without end: %v", err)
	}
}

// FuzzDrive holds that a child may say whatever it likes.
func FuzzDrive(f *testing.F) {
	for _, s := range []string{`{"op":"result","result":[]}`, `{"op":"read","name":"../../etc/passwd"}` + "\n" + `{"op":"result"}`, `{"op":"list","name":"a"}`, `{"op":"x"}`, `{`, `{"op":"result","error":"e"}`, strings.Repeat("[", 20000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, said string) {
		raw, err := wire.Dial(strings.NewReader(said), io.Discard, 1<<12).Drive("job", files())
		if err == nil && len(raw) > 0 && !json.Valid(raw) {
			t.Errorf("%q was taken for a result", raw)
		}
	})
}
