package forge_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/forge"
)

const (
	zero  = "0000000000000000000000000000000000000000"
	after = string(sha)
)

func body(repo, ref, before, after, pusher string) []byte {
	return fmt.Appendf(nil, `{"ref":%q,"before":%q,"after":%q,"repository":{"id":1,"full_name":%q},"pusher":{%s},"commits":[{"id":"x"}]}`,
		ref, before, after, repo, pusher)
}

func TestParsePush(t *testing.T) {
	for _, c := range []struct {
		name string
		kind forge.Kind
		body []byte
		want forge.Push
	}{
		{name: "Gitea names the pusher by login", kind: forge.Gitea,
			body: body("shop/web", "refs/heads/main", zero, after, `"login":"li","username":"old"`),
			want: forge.Push{Forge: forge.Gitea, Repo: "shop/web", Ref: "refs/heads/main", After: sha, Pusher: "li"}},
		{name: "an older Gitea names the pusher by username", kind: forge.Gitea,
			body: body("shop/web", "refs/heads/main", after, after, `"username":"li"`),
			want: forge.Push{Forge: forge.Gitea, Repo: "shop/web", Ref: "refs/heads/main", Before: sha, After: sha, Pusher: "li"}},
		{name: "GitHub names the pusher by name", kind: forge.GitHub,
			body: body("shop/web", "refs/tags/v1", after, after, `"name":"li","email":"li@x"`),
			want: forge.Push{Forge: forge.GitHub, Repo: "shop/web", Ref: "refs/tags/v1", Before: sha, After: sha, Pusher: "li"}},
		{name: "a deleted branch has no commit after it", kind: forge.Gitea,
			body: body("shop/web", "refs/heads/old", after, zero, ``),
			want: forge.Push{Forge: forge.Gitea, Repo: "shop/web", Ref: "refs/heads/old", Before: sha, Deleted: true}},
		{name: "a branch may be named in Chinese", kind: forge.Gitea,
			body: body("shop/web", "refs/heads/修复", after, after, ``),
			want: forge.Push{Forge: forge.Gitea, Repo: "shop/web", Ref: "refs/heads/修复", Before: sha, After: sha}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := forge.ParsePush(c.kind, c.body)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestMalformedPushes(t *testing.T) {
	for name, b := range map[string][]byte{
		"no JSON":                      []byte("hello"),
		"half of a JSON":               []byte(`{"ref":"refs/heads/main"`),
		"a list":                       []byte(`[]`),
		"an empty object":              []byte(`{}`),
		"a repo that climbs":           body("../etc", "refs/heads/main", zero, after, ``),
		"a repo with a line break":     body("shop/web\nx", "refs/heads/main", zero, after, ``),
		"a ref outside refs":           body("shop/web", "--upload-pack=x", zero, after, ``),
		"a ref that climbs":            body("shop/web", "refs/heads/../../config", zero, after, ``),
		"a ref with a control":         body("shop/web", "refs/heads/a\x01", zero, after, ``),
		"a ref that is too long":       body("shop/web", "refs/heads/"+strings.Repeat("a", 300), zero, after, ``),
		"a short commit":               body("shop/web", "refs/heads/main", zero, "abc", ``),
		"an option in place of commit": body("shop/web", "refs/heads/main", "--all", after, ``),
		"a pusher with a line break":   body("shop/web", "refs/heads/main", zero, after, `"login":"a\nb"`),
		"objects nested without end":   []byte(strings.Repeat(`{"a":`, 20000)),
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			if p, err := forge.ParsePush(forge.Gitea, b); !errors.Is(err, forge.ErrMalformed) {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

func FuzzParsePush(f *testing.F) {
	f.Add(body("shop/web", "refs/heads/main", zero, after, `"login":"li"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []forge.Kind{forge.Gitea, forge.GitHub} {
			p, err := forge.ParsePush(kind, b)
			if err != nil {
				continue
			}
			if !forge.ValidRepo(p.Repo) || !strings.HasPrefix(p.Ref, "refs/") || (!p.Deleted && !p.After.Valid()) {
				t.Errorf("accepted %+v", p)
			}
		}
	})
}
