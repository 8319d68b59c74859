package builder_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/pb"

	"github.com/seatrial/seatrial/builder"
)

func TestAStepThatNeedsAnEmulatorIsNamed(t *testing.T) {
	const name = "[linux/arm64 stage-1 2/2] RUN /app --migrate"
	failed := func(lines string) []*client.SolveStatus {
		return []*client.SolveStatus{
			told(&client.Vertex{Digest: "a", Name: name, Started: at(1)}),
			{Logs: []*client.VertexLog{{Vertex: "a", Stream: 2, Data: []byte(lines)}}},
			told(&client.Vertex{Digest: "a", Name: name, Started: at(1), Completed: at(2), Error: "exit code 255"}),
		}
	}
	for _, c := range []struct {
		name, lines, err string
		reason, hint     string
	}{
		{"what the step printed", "exec /app: exec format error\n", "process did not complete", name + ": it runs a program of another platform", "--platform=$BUILDPLATFORM"},
		{"what runc said", "", "runc run failed: exec /app: exec format error", name + ": it runs a program of another platform", "--platform=$BUILDPLATFORM"},
		{"another failure", "no such table\n", "process did not complete", name + ": exit code 255\nno such table", "docker buildx build ."},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, _ := logFor(t)
			reason, next := builder.Explained(log, &gateway.ExitError{ExitCode: 255, Err: errors.New(c.err)}, failed(c.lines)...)
			if !strings.HasPrefix(reason, c.reason) || !strings.Contains(next, c.hint) {
				t.Errorf("%s\nhint: %s", reason, next)
			}
		})
	}
}

func TestAPushThatTheRegistryDoesNotTakeSaysWhatToDoAndIsTriedAgain(t *testing.T) {
	const pushed = "failed to solve: failed to push registry.example/shop/web:3f2a: "
	for _, c := range []struct{ name, err, hint string }{
		{"signed out half-way", pushed + "unexpected status from PUT request to https://registry.example/v2/shop/web/blobs/uploads/1: 401 Unauthorized", "check the login"},
		{"a token that is refused", pushed + "failed to authorize: rpc error: code = Unknown desc = log in to registry.example: GET https://registry.example/token: UNAUTHORIZED: wrong user or password", "check the login"},
		{"somebody else's repository", pushed + "push access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", "check the login"},
		{"too many requests", pushed + "unexpected status from POST request to https://registry.example/v2/shop/web/blobs/uploads/: 429 Too Many Requests", "limits requests"},
		{"a registry that is ill", pushed + "unexpected status from PUT request to https://registry.example/v2/shop/web/manifests/3f2a: 500 Internal Server Error", "registry's own log"},
		{"no answer", pushed + "dial tcp 198.18.0.1:5000: connect: connection refused", "start the registry"},
		{"a base image that is too much asked for", "failed to solve: debian:12: failed to resolve source metadata: unexpected status from HEAD request to https://registry.example/v2/library/debian/manifests/12: 429 Too Many Requests", "limits requests"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, _ := logFor(t)
			reason, next := builder.Explained(log, errors.New(c.err))
			if strings.Contains(reason, "failed to solve") || strings.Contains(next, "docker buildx build") || !strings.Contains(next, c.hint) {
				t.Errorf("%s\nhint: %s", reason, next)
			}
		})
	}
}
