package builder

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/seatrial/seatrial/builder/daemons"
	"github.com/seatrial/seatrial/builder/login"
	"github.com/seatrial/seatrial/builder/watch"
	"github.com/seatrial/seatrial/internal/hint"
)

// elsewhere are the marks of trouble that is not the commit's fault: somebody could not
// be reached or did not answer properly, so trying again makes sense.
func elsewhere(msg string) bool {
	for _, mark := range []string{
		"connection refused", "connection reset", "no such host", "i/o timeout", "no route to host", "network is unreachable",
		"TLS handshake", "x509:", "broken pipe", "unexpected EOF", "server misbehaving", "no space left on device",
		"500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway", "429 Too Many Requests",
		"401 Unauthorized", "403 Forbidden", "TOOMANYREQUESTS", "context deadline exceeded", " is not set on the server",
	} {
		if strings.Contains(msg, mark) {
			return true
		}
	}
	return false
}

// noEmulator is how the kernel says that it does not know a program's platform.
const noEmulator = "exec format error"

// explain tells a build that cannot succeed (a refusal) from one that could not be tried
// (an error).
func explain(d *daemons.Daemon, err error, r request, w *watch.Watch, mask func(string) string) error {
	step, tail, failed := w.Failed()
	var exit *gateway.ExitError
	switch {
	case failed && strings.Contains(tail+err.Error(), noEmulator):
		return refuse("cross-compile: begin the stage with FROM --platform=$BUILDPLATFORM and build for $TARGETARCH; or install an emulator (binfmt) on buildkitd's machine",
			"%s: it runs a program of another platform, which needs an emulator", step)
	case errors.As(err, &exit) && failed:
		text := fmt.Sprintf("%s: exit code %d", step, exit.ExitCode)
		if tail != "" {
			text += "\n" + tail
		}
		return refuse("reproduce it: "+r.command, "%s", text)
	case grpcerrors.Code(err) == codes.Unavailable || strings.Contains(err.Error(), "error reading from server"):
		return daemons.Unreachable(d.Address, err)
	case strings.Contains(err.Error(), "failed to push") && login.Advice(err.Error()) != "":
		return hint.Add(fmt.Errorf("push %s: %w", r.repository, short(err)), login.Advice(err.Error()))
	case elsewhere(err.Error()) && strings.Contains(err.Error(), "failed to push"):
		host, _, _ := strings.Cut(r.repository, "/")
		return hint.Add(fmt.Errorf("push %s: registry %s does not answer: %w", r.repository, host, short(err)), "start the registry; the build goes on by itself")
	case elsewhere(err.Error()) && strings.Contains(err.Error(), "/v2/") && login.Advice(err.Error()) != "":
		return hint.Add(fmt.Errorf("build: the registry of a base image: %w", short(err)), login.Advice(err.Error()))
	case elsewhere(err.Error()) && strings.Contains(err.Error(), "/v2/"):
		return hint.Add(fmt.Errorf("build: the registry of a base image does not answer: %w", short(err)), "start the registry; the build goes on by itself")
	case elsewhere(err.Error()):
		return fmt.Errorf("build: %w", short(err))
	}
	text := mask(short(err).Error())
	if where := position(err, r.file); where != "" {
		text = where + ": " + text
	} else if failed {
		text = step + ": " + text
	}
	return refuse("reproduce it: "+r.command, "%s", text)
}

// position is the line of the Dockerfile an error is about.
func position(err error, file string) string {
	for _, s := range errdefs.Sources(err) {
		if len(s.Ranges) > 0 && s.Ranges[0].Start != nil {
			return fmt.Sprintf("%s:%d", file, s.Ranges[0].Start.Line)
		}
	}
	return ""
}

// checksum is how BuildKit words that a file is missing: its own names help nobody.
var checksum = regexp.MustCompile(`failed to compute cache key: failed to calculate checksum of ref \S+: `)

// short is the error without what BuildKit says around every error.
func short(err error) error {
	msg := err.Error()
	for _, prefix := range []string{"failed to run Build function: ", "failed to solve: ", "failed to receive status: ", "dockerfile parse error: "} {
		msg = strings.TrimPrefix(msg, prefix)
	}
	return errors.New(checksum.ReplaceAllString(msg, ""))
}
