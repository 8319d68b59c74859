package deploy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
	"github.com/seatrial/seatrial/release"
)

// child is a running subject.
type child struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Scanner
}

// start runs a copy of the bench's own program as the subject, with a store and mirrors of
// its own. A copy, because a server shares the pages of its program with nobody, and gives
// back those that it does not use, which the kernel takes from nobody who shares them.
func (b *bench) start(ctx context.Context, waves []release.WaveSpec) (*child, error) {
	self := filepath.Join(b.dir, "subject")
	if err := b.copySelf(self); err != nil {
		return nil, err
	}
	b.runs++
	set := subject.Setup{Dir: filepath.Join(b.dir, fmt.Sprintf("subject-%d", b.runs)), Repo: b.repo.url, Credentials: b.planes.credentials,
		Clusters: b.planes.clusters(), Waves: waves, Profiles: b.Profiles}
	if err := os.MkdirAll(set.Dir, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, subject.Command)
	cmd.Stderr = b.say
	c := &child{cmd: cmd}
	var err error
	if c.orders, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.answers = bufio.NewScanner(out)
	c.answers.Buffer(nil, 1<<20)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the subject: %w", err)
	}
	if err := json.NewEncoder(c.orders).Encode(set); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	if _, err := c.do(subject.Follow); err != nil { // what is on the branch is nobody's push
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// copySelf copies the running program once.
func (b *bench) copySelf(to string) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, self)
	return errors.Join(err, out.Close())
}

// do gives an order and waits for its answer.
func (c *child) do(order string) (subject.Answer, error) {
	var a subject.Answer
	if _, err := fmt.Fprintln(c.orders, order); err != nil {
		return a, fmt.Errorf("order the subject to %s: %w", order, err)
	}
	if !c.answers.Scan() {
		return a, fmt.Errorf("order the subject to %s: it ended: %w", order, errors.Join(c.answers.Err(), io.ErrUnexpectedEOF))
	}
	if err := json.Unmarshal(c.answers.Bytes(), &a); err != nil {
		return a, fmt.Errorf("order the subject to %s: %w", order, err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("order the subject to %s: %s", order, a.Error)
	}
	if len(a.Failed) > 0 {
		return a, fmt.Errorf("not every release ended well: %v", a.Failed)
	}
	return a, nil
}

func (c *child) stop() error { return errors.Join(c.orders.Close(), c.cmd.Wait()) }
