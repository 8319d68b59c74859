package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

// Program is one to run in a container that runs already.
type Program struct {
	Namespace, Pod, Container string
	Args                      []string      // the program, then its arguments; no shell reads them
	Limit                     time.Duration // after which it is not waited for any more
}

// Ended is how a program has ended.
type Ended struct {
	Code int
	Said string // the end of what it wrote to its standard error, one line
}

// NotStarted says that a program never ran.
type NotStarted struct {
	Why   string
	Final bool // trying again would not help
	Err   error
}

// Error is the reason.
func (n *NotStarted) Error() string { return n.Why }

// Unwrap is the cluster's answer.
func (n *NotStarted) Unwrap() error { return n.Err }

// Exec runs a program and waits for its end. *NotStarted: it did not run. Any other error,
// context.DeadlineExceeded for one that took longer than its limit, means that it may have
// run and may still do: closing the connection ends nothing in a container.
func Exec(ctx context.Context, c *Cluster, p Program) (Ended, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Limit)
	defer cancel()
	var said tail
	var code lastCode
	run, err := c.executor(p, &code)
	if err != nil {
		return Ended{}, &NotStarted{Why: err.Error(), Final: true, Err: err}
	}
	err = run.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: io.Discard, Stderr: &said})
	ended := Ended{Said: said.line()}
	if code, ok := errors.AsType[exec.CodeExitError](err); ok {
		ended.Code = code.Code
		return ended, nil
	}
	if no := notStarted(err, code.last()); no != nil {
		return Ended{}, no
	}
	return ended, err
}

// executor speaks WebSocket, and SPDY to clusters and proxies that cannot.
func (c *Cluster) executor(p Program, code *lastCode) (remotecommand.Executor, error) {
	cfg := c.WatchConfig()
	cfg.Wrap(code.around)
	url := c.typed.CoreV1().RESTClient().Post().Timeout(0).Resource("pods").Namespace(p.Namespace).Name(p.Pod).SubResource("exec").VersionedParams(
		&corev1.PodExecOptions{Container: p.Container, Command: p.Args, Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
	socket, err := remotecommand.NewWebSocketExecutor(cfg, "GET", url.String())
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(cfg, "POST", url)
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}

// lastCode is the code of a cluster's last answer. The SPDY of client-go drops it when it
// makes an error of the answer.
type lastCode struct{ code atomic.Int32 }

func (a *lastCode) last() int { return int(a.code.Load()) }

func (a *lastCode) around(inner http.RoundTripper) http.RoundTripper {
	return trip(func(r *http.Request) (*http.Response, error) {
		res, err := inner.RoundTrip(r)
		if res != nil {
			a.code.Store(int32(res.StatusCode))
		}
		return res, err
	})
}

type trip func(*http.Request) (*http.Response, error)

// RoundTrip is http.RoundTripper's.
func (t trip) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// refused reports whether an answer says that the request is wrong, and not that it came at
// a bad time.
func refused(code int) bool {
	return code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout
}

const noUpgrade = "unable to upgrade connection"

// notStarted knows the answers after which nothing has run; nil for all others.
func notStarted(err error, code int) *NotStarted {
	if err == nil {
		return nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return &NotStarted{Why: Why(err), Err: err}
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return &NotStarted{Why: message, Final: !Transient(err), Err: err}
	}
	if httpstream.IsUpgradeFailure(err) || strings.HasPrefix(message, noUpgrade) {
		return &NotStarted{Why: message, Final: refused(code), Err: err}
	}
	for _, known := range []string{"OCI runtime exec failed", "unable to start container process", "executable file not found", "failed to create exec", "container not running"} {
		if i := strings.Index(message, known); i >= 0 {
			return &NotStarted{Why: message[i:], Final: true, Err: err}
		}
	}
	return nil
}

// maxSaid is how much of what a program says is kept.
const maxSaid = 300

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex // guards kept: a program that is not waited for may still write
	kept []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-maxSaid):]...)
	t.kept = bytes.Clone(t.kept[max(0, len(t.kept)-maxSaid):])
	return len(p), nil
}

// line is what was kept, without line ends and what a terminal would obey.
func (t *tail) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(t.kept), "?"))
	return strings.Join(strings.Fields(text), " ")
}

// String is a program as people write it, for messages.
func (p Program) String() string { return fmt.Sprintf("%q", p.Args) }
