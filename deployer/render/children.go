package render

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seatrial/seatrial/deployer/render/wire"
	"github.com/seatrial/seatrial/internal/sandbox"
)

// child is one that was started and told to shut itself in.
type child struct {
	*sandbox.Child
	conn *wire.Conn
	cpu  time.Duration
}

// maxSaid is what a child may say in all: its questions and a result of twice the output's
// limit, since JSON is longer than YAML.
const maxSaid = 64 << 20

// children starts them, one ahead if there is to be a spare: starting takes longer than
// rendering. No child renders twice.
type children struct {
	box  sandbox.Box
	wait time.Duration

	mu      sync.Mutex // guards the fields below
	proved  bool       // there are namespaces here: from now on, none is a failure
	refused error      // why there are none
	spare   *child
	timer   *time.Timer
	closed  bool
}

// take is a child that is ready and the caller's.
func (c *children) take(ctx context.Context, cpu time.Duration) (*child, error) {
	for {
		one, err := c.next(cpu)
		if err != nil {
			if c.without(err) {
				continue
			}
			return nil, err
		}
		stop := context.AfterFunc(ctx, one.Kill)
		err = one.conn.Ready()
		if err == nil {
			stop()
			c.prove()
			return one, nil
		}
		stop()
		one.Kill()
		if errors.Is(err, wire.ErrBroken) {
			err = errors.Join(err, one.Ended())
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !c.without(err) {
			return nil, err
		}
	}
}

// next is the spare, if it may work as long, or a new child.
func (c *children) next(cpu time.Duration) (*child, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.spare; one != nil {
		c.timer.Stop()
		c.spare = nil
		if one.cpu == cpu {
			return one, nil
		}
		one.Close()
	}
	return c.startLocked(cpu)
}

func (c *children) startLocked(cpu time.Duration) (*child, error) {
	box := c.box
	box.Limits.CPU, box.Bare = cpu, c.refused != nil
	started, err := sandbox.Start(box)
	if err != nil {
		return nil, err
	}
	return &child{started, wire.Dial(started.Out, started.In, maxSaid), cpu}, nil
}

// prove remembers that the first child came up in its namespaces: no passing trouble may
// let a later one render without.
func (c *children) prove() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proved = c.refused == nil
}

// without goes on without namespaces where the kernel refused them; false: that was not it.
func (c *children) without(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != nil || c.proved || !sandbox.IsRefusal(err) {
		return false
	}
	c.refused = err
	return true
}

// prepare starts a spare child, which ends by itself if nothing comes for it.
func (c *children) prepare(cpu time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait == 0 || c.spare != nil || c.closed {
		return
	}
	one, err := c.startLocked(cpu)
	if err != nil {
		return // whoever needs one will hear why
	}
	c.spare = one
	c.timer = time.AfterFunc(c.wait, func() { c.dismiss(one) })
}

func (c *children) dismiss(one *child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spare == one {
		c.spare = nil
		one.Close()
	}
}

func (c *children) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.spare != nil {
		c.timer.Stop()
		c.spare.Close()
		c.spare = nil
	}
}

func (c *children) isolation() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	limits := fmt.Sprintf("a child without environment, %d MiB of memory", c.box.Limits.Memory>>20)
	if c.refused != nil {
		return limits, sandbox.Refused(fmt.Errorf("rendering has no namespaces of its own: %w", c.refused))
	}
	return limits + ", no network, no files, no other processes", nil
}
