package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Program is one long-running program of a machine.
type Program struct {
	Name string   `json:"name"` // also of its log
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"` // on top of the machine's few variables
	Dir  string   `json:"dir,omitempty"`
	UID  uint32   `json:"uid,omitempty"` // and GID; 0: root
}

// ProgramStatus is what became of a program.
type ProgramStatus struct {
	Name    string    `json:"name"`
	PID     int       `json:"pid"` // as the machine counts
	Running bool      `json:"running"`
	Exit    string    `json:"exit,omitempty"` // how it ended
	Started time.Time `json:"started"`
	RSSKiB  int64     `json:"rss_kib,omitempty"`
}

// client talks to a machine's first process.
type client struct{ http *http.Client }

func newClient(socket string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	// No connection is kept: the machine may be replaced between two calls.
	return &client{http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

func (c *client) start(ctx context.Context, p Program) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.call(ctx, http.MethodPost, "/start", p, nil)
}

func (c *client) stop(ctx context.Context, name string, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace+10*time.Second)
	defer cancel()
	q := url.Values{"name": {name}, "grace": {grace.String()}}
	return c.call(ctx, http.MethodPost, "/stop?"+q.Encode(), nil, nil)
}

type runResult struct {
	Exit   int    `json:"exit"`
	Output string `json:"output"`
}

func (c *client) run(ctx context.Context, p Program) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var res runResult
	if err := c.call(ctx, http.MethodPost, "/run", p, &res); err != nil {
		return "", err
	}
	if res.Exit != 0 {
		return res.Output, fmt.Errorf("exit %d: %s", res.Exit, lastLine(res.Output))
	}
	return res.Output, nil
}

func (c *client) status(ctx context.Context) ([]ProgramStatus, error) {
	var all []ProgramStatus
	err := c.call(ctx, http.MethodGet, "/status", nil, &all)
	return all, err
}

func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://init"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			return u.Err // the made-up URL says nothing to a reader
		}
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(b)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// parseRSS finds the resident size in the text of /proc/PID/status.
func parseRSS(status string) int64 {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err == nil {
				return kib
			}
		}
	}
	return 0
}
