package folder

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/seatrial/seatrial/internal/git"
)

// catFile asks one git program for objects, one after the other. It is started by the
// first question.
type catFile struct {
	start func() *exec.Cmd

	mu  sync.Mutex // guards what follows, and the order of question and answer
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

type gitObject struct {
	id, kind string
	size     int64
	content  []byte // nil when it is larger than was asked for
}

// get asks for an object by id, or by tree and path; its content comes along when it has
// at most max bytes.
func (c *catFile) get(name string, max int64) (gitObject, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.runLocked(); err != nil {
		return gitObject{}, fmt.Errorf("ask git for %s: %w", name, err)
	}
	o, err := c.askLocked(name, max)
	if err != nil && !errors.Is(err, git.ErrNoFile) {
		return o, fmt.Errorf("ask git for %s: %w", name, err)
	}
	return o, err
}

func (c *catFile) runLocked() error {
	if c.cmd != nil {
		return nil
	}
	cmd := c.start()
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.in, c.out = in, bufio.NewReaderSize(out, 64<<10)
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd = cmd
	return nil
}

func (c *catFile) askLocked(name string, max int64) (o gitObject, err error) {
	if _, err := io.WriteString(c.in, name+"\n"); err != nil {
		return o, err
	}
	head, err := c.out.ReadString('\n')
	if err != nil {
		return o, err
	}
	head = strings.TrimSuffix(head, "\n")
	if strings.HasSuffix(head, " missing") {
		_, file, _ := strings.Cut(name, ":")
		return o, fmt.Errorf("%w: %s", git.ErrNoFile, file)
	}
	fields := strings.Fields(head)
	if len(fields) != 3 {
		return o, fmt.Errorf("it answered %q", head)
	}
	o.id, o.kind = fields[0], fields[1]
	if o.size, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
		return o, fmt.Errorf("it answered %q", head)
	}
	if o.size > max {
		_, err = io.CopyN(io.Discard, c.out, o.size+1) // and the end of the line
		return o, err
	}
	o.content = make([]byte, o.size)
	if _, err := io.ReadFull(c.out, o.content); err != nil {
		return o, err
	}
	_, err = c.out.Discard(1)
	return o, err
}

func (c *catFile) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return nil
	}
	err := c.in.Close()
	_ = c.cmd.Wait() // what was asked for has been answered
	return err
}
