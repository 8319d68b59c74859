//go:build lab

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

func TestAPipelineFileThatIsWrongFailsTheReleaseAtItsLine(t *testing.T) {
	t.Parallel()
	knot := add(t, within(t, 3*time.Minute), "bow/knot")
	const head = "apiVersion: seatrial.dev/v1\nkind: Pipeline\nmetadata: {name: knot, team: bow}\nspec:\n"
	cases := []struct{ name, file, reason string }{
		{"malformed", "apiVersion: [seatrial.dev/v1\nkind: Pipeline\n", ".seatrial.yaml:"},
		{"an unknown key", head + "  build: {contxt: .}\n  deploy: {manifests: deploy/, environments: [staging]}\n", `.seatrial.yaml:5:11: unknown field "contxt" (did you mean "context"?)`},
		{"an unknown environment", head + "  build: {}\n  deploy: {manifests: deploy/, environments: [stagin]}\n", `.seatrial.yaml:6:47: spec.deploy.environments[0]: unknown environment "stagin" (did you mean "staging"?)`},
		{"an alias bomb", bomb(), ".seatrial.yaml:"},
		{"10 MB", head + "  build: {}\n" + strings.Repeat("# a line of nothing at all\n", 400_000), ".seatrial.yaml"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx := within(t, 3*time.Minute)
			check(t, knot.Restore())
			check(t, knot.Repo().Write(".seatrial.yaml", c.file))
			r := deliver(t, ctx, knot, "knot: a pipeline file with "+c.name)
			ended(t, r, release.Failed, c.reason)
			status(t, ctx, r, "failure", ".seatrial.yaml")
		})
	}
}

func bomb() string {
	text := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		text += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	return text
}

// status waits for a commit status whose description holds text.
func status(t *testing.T, ctx context.Context, r release.Release, state, text string) {
	t.Helper()
	err := rig.WaitFor(ctx, "a commit status", 500*time.Millisecond, func() (bool, error) {
		list, err := stage.Forge.Statuses(ctx, r.Repo, string(r.Commit))
		for _, s := range list {
			if s.State == state && strings.Contains(s.Description, text) {
				return true, nil
			}
		}
		return false, fmt.Errorf("statuses are %+v (%v)", list, err)
	})
	check(t, err)
}

func TestADockerfileThatFailsShowsTheStepAndItsLastLines(t *testing.T) {
	t.Parallel()
	ctx := within(t, 5*time.Minute)
	mast := add(t, ctx, "tall/mast")
	check(t, mast.Repo().Write("Dockerfile", "FROM --platform=$BUILDPLATFORM golang:1.26 AS source\nFROM source AS test\nRUN echo the mast is broken >&2 && exit 7\nFROM scratch\nCOPY --from=test /etc/hostname /x\n"))
	r := deliver(t, ctx, mast, "mast: a broken one")
	ended(t, r, release.Failed, "the mast is broken")
	if !strings.Contains(r.Reason, "exit 7") && !strings.Contains(r.Reason, "RUN echo") {
		t.Errorf("the reason does not name the step: %s", r.Reason)
	}
	status(t, ctx, r, "failure", "the mast is broken")
}

func TestManifestsThatMayNotBeDeployedAreRefusedBeforeAnythingChanges(t *testing.T) {
	t.Parallel()
	crew := add(t, within(t, 3*time.Minute), "deck/crew")
	deployment := must(crew.Read("deploy/base/deployment.yaml"))(t)
	cases := []struct{ name, text, reason string }{
		{"no YAML", "this: is: not: yaml\n", "deployment.yaml"},
		{"an unknown kind", deployment + "\n---\napiVersion: example.com/v1\nkind: Schooner\nmetadata: {name: crew}\n", "Schooner"},
		{"a cluster-scoped object outside the project", deployment + "\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: captain}\nrules: []\n", "ClusterRole"},
		{"an image by tag", strings.Replace(deployment, "image: deck/crew", "image: docker.io/library/nginx:1.27", 1), "nginx:1.27"},
		{"a bare Pod", deployment + "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: alone}\nspec:\n  containers: [{name: a, image: deck/crew}]\n", "Pod"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx := within(t, 4*time.Minute)
			check(t, crew.Restore())
			check(t, crew.Repo().Write("deploy/base/deployment.yaml", c.text))
			r := deliver(t, ctx, crew, "crew: manifests with "+c.name)
			ended(t, r, release.Failed, c.reason)
			if r.Stages[0].Live {
				t.Error("staging was changed")
			}
		})
	}
}

func TestAnUnsignedImagePushedToADesiredStateBranchByHandIsRefusedAndGitReturns(t *testing.T) {
	t.Parallel()
	ctx := within(t, 10*time.Minute)
	shop := add(t, ctx, "salt/pan")
	before := begin(t, ctx, shop)
	unsigned := stage.Lab.Registry + "/library/debian@" + must(stage.Digest(ctx, "library/debian", "12-slim"))(t)
	commit := must(shop.EditDesired(ctx, "staging", func(text string) string {
		return strings.ReplaceAll(text, before.Artifact.Reference(), unsigned)
	}))(t)
	id := release.NewID(shop.Name, release.Commit(commit))
	err := rig.WaitFor(ctx, "the release of the push by hand", time.Second, func() (bool, error) {
		_, err := stage.API.Release(ctx, id)
		return err == nil, err
	})
	check(t, err)
	r := must(stage.API.AwaitEnd(ctx, id))(t)
	if r.Phase == release.Done || !said(r, "policy", release.Refused) {
		t.Fatalf("it ended %s: %s", r.Phase, r.Reason)
	}
	running(t, ctx, shop, "staging", before.Artifact.Reference())
	desired(t, ctx, shop, "staging", before.Artifact.Reference())
}

func TestARollBackWhenNothingWasEverVerifiedHoldsTheReleaseForAPerson(t *testing.T) {
	t.Parallel()
	ctx := within(t, 8*time.Minute)
	crane := add(t, ctx, "dock/crane")
	check(t, crane.Change("2-cold-cache"))
	check(t, crane.Repo().Write("price.go", "package main\n\nimport \"errors\"\n\nfunc price(string, int) (string, error) { return \"19.99\", errors.New(\"no price\") }\n"))
	check(t, crane.Repo().Write("price_test.go", "package main\n"))
	r := deliver(t, ctx, crane, "crane: broken from the start")
	ended(t, r, release.Held, "")
	if !strings.Contains(r.Reason, "verified") || r.Hint == "" {
		t.Errorf("the reason is %q, the hint %q", r.Reason, r.Hint)
	}
}

func TestWebhooksThatAreNotTheForgesAreTurnedAway(t *testing.T) {
	body := []byte(`{"ref":"refs/heads/main","before":"` + strings.Repeat("0", 40) + `","after":"` + strings.Repeat("1", 40) + `","repository":{"full_name":"shop/web"},"pusher":{"login":"eve"}}`)
	unknown := bytes.Replace(body, []byte("shop/web"), []byte("eve/web"), 1)
	cases := []struct {
		name, signature, delivery string
		body                      []byte
		want                      int
	}{
		{"no signature", "", "e2e-1", body, http.StatusUnauthorized},
		{"a wrong signature", strings.Repeat("ab", 32), "e2e-2", body, http.StatusUnauthorized},
		{"an unknown repo", rig.Sign(unknown), "e2e-3", unknown, http.StatusNotFound},
		{"a body over the cap", rig.Sign(bytes.Repeat([]byte("x"), 2<<20)), "e2e-4", bytes.Repeat([]byte("x"), 2<<20), http.StatusRequestEntityTooLarge},
		{"a signed push", rig.Sign(body), "e2e-5", body, http.StatusAccepted},
		{"the same delivery replayed", rig.Sign(body), "e2e-5", body, http.StatusOK},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := must(stage.PushHook(t.Context(), c.signature, c.delivery, c.body))(t)
			if got != c.want {
				t.Errorf("the server answers %d, want %d", got, c.want)
			}
		})
	}
}
