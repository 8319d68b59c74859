// Package wire is how a rendering child and its parent talk: the parent gives a job, the
// child asks for files of the tree, the parent answers, the child gives its result.
//
// Start at Drive, the parent's side, and Serve, the child's. One JSON value a message. The
// parent never believes the child more than a bound on bytes allows, and the child never
// sees a file that it did not ask for by name.
package wire

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/seatrial/seatrial/deployer/render/source"
	"github.com/seatrial/seatrial/internal/hint"
)

// message is what the child says.
type message struct {
	Op     string          `json:"op"` // "ready", "stat", "read", "list", "result"
	Name   string          `json:"name,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	failure
}

// answer is what the parent says to a question.
type answer struct {
	What    source.What    `json:"what,omitempty"`
	Data    []byte         `json:"data,omitempty"`
	Entries []source.Entry `json:"entries,omitempty"`
	failure
}

// failure is an error on its way.
type failure struct {
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

func failed(err error) failure {
	if err == nil {
		return failure{}
	}
	return failure{Error: err.Error(), Hint: hint.Of(err)}
}

func (f failure) err() error {
	if f.Error == "" {
		return nil
	}
	return hint.Add(errors.New(f.Error), f.Hint)
}

var (
	// ErrLarge says that the child said more than it may.
	ErrLarge = errors.New("the result is over the limit")
	// ErrBroken says that the child stopped talking, or talked nonsense.
	ErrBroken = errors.New("the child's answer broke off")
)

// Conn is the parent's end.
type Conn struct {
	in  *json.Decoder
	out *bufio.Writer
	max *io.LimitedReader
}

// Dial speaks with a child that was started. It may say no more than max bytes.
func Dial(r io.Reader, w io.Writer, max int64) *Conn {
	limited := &io.LimitedReader{R: r, N: max}
	return &Conn{in: json.NewDecoder(limited), out: bufio.NewWriter(w), max: limited}
}

// Ready waits until the child has shut itself in; its error says why it could not.
func (c *Conn) Ready() error {
	m, err := c.hear()
	if err == nil && m.Op != "ready" {
		err = ErrBroken
	}
	return errors.Join(err, m.err())
}

// Drive gives the child its job, answers its questions and returns its result. An error
// that is the job's own is Told.
func (c *Conn) Drive(job any, files source.Files) (json.RawMessage, error) {
	if err := c.say(job); err != nil {
		return nil, err
	}
	for {
		m, err := c.hear()
		if err != nil {
			return nil, err
		}
		var a answer
		switch m.Op {
		case "stat":
			a.What, err = files.Stat(m.Name)
		case "read":
			a.Data, err = files.Read(m.Name)
		case "list":
			a.Entries, err = files.List(m.Name)
		case "result":
			if err := m.err(); err != nil {
				return nil, Told{err}
			}
			return m.Result, nil
		default:
			return nil, ErrBroken
		}
		a.failure = failed(err)
		if err := c.say(a); err != nil {
			return nil, err
		}
	}
}

// Told is what the child itself reports as wrong with its job.
type Told struct{ Err error }

// Error is the child's word.
func (t Told) Error() string { return t.Err.Error() }

// Unwrap is the child's word with its hint.
func (t Told) Unwrap() error { return t.Err }

func (c *Conn) say(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("tell the child: %w", err)
	}
	_, err = c.out.Write(append(data, '\n'))
	if err = errors.Join(err, c.out.Flush()); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return nil
}

func (c *Conn) hear() (message, error) {
	var m message
	err := c.in.Decode(&m)
	switch {
	case err == nil:
		return m, nil
	case c.max.N <= 0:
		return message{}, ErrLarge
	}
	return message{}, fmt.Errorf("%w: %w", ErrBroken, err)
}

// Serve is the child's life: it says whether it is ready, hears one job, and does it with
// the files that the parent shows.
func Serve(r io.Reader, w io.Writer, ready error, do func(job json.RawMessage, files source.Files) (any, error)) error {
	p := &parent{in: json.NewDecoder(r), out: json.NewEncoder(w)}
	if err := p.out.Encode(message{Op: "ready", failure: failed(ready)}); err != nil || ready != nil {
		return errors.Join(err, ready)
	}
	var job json.RawMessage
	if err := p.in.Decode(&job); err != nil {
		return fmt.Errorf("hear the job: %w", err)
	}
	result, err := do(job, p)
	m := message{Op: "result", failure: failed(err)}
	if err == nil {
		if m.Result, err = json.Marshal(result); err != nil {
			return fmt.Errorf("tell the result: %w", err)
		}
	}
	return p.out.Encode(m)
}

// parent is the tree as the child has it.
type parent struct {
	in  *json.Decoder
	out *json.Encoder
}

var _ source.Files = (*parent)(nil)

func (p *parent) ask(op, name string) (answer, error) {
	if err := p.out.Encode(message{Op: op, Name: name}); err != nil {
		return answer{}, fmt.Errorf("ask for %s: %w", name, err)
	}
	var a answer
	if err := p.in.Decode(&a); err != nil {
		return answer{}, fmt.Errorf("hear of %s: %w", name, err)
	}
	return a, a.err()
}

// Stat asks what a name stands for.
func (p *parent) Stat(name string) (source.What, error) {
	a, err := p.ask("stat", name)
	return a.What, err
}

// Read asks for a file.
func (p *parent) Read(name string) ([]byte, error) {
	a, err := p.ask("read", name)
	return a.Data, err
}

// List asks for a folder.
func (p *parent) List(dir string) ([]source.Entry, error) {
	a, err := p.ask("list", dir)
	return a.Entries, err
}
