package builds_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/cmd/seatrial/builds"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

func projects() map[string]release.Project {
	var shop, pay release.Project
	shop.Spec.Registries = []release.RegistryLogin{{Host: "registry.example", User: "shop-bot", Secret: "harbor-shop", TokenHost: "tokens.example"}}
	pay.Spec.Registries = []release.RegistryLogin{{Host: "registry.example", User: "pay-bot", Secret: "harbor-pay"}}
	return map[string]release.Project{"shop": shop, "pay": pay, "blog": {}}
}

func sources() builds.Sources {
	return builds.Sources{Projects: projects, Value: func(name string) secret.Text { return secret.Text("value of " + name) }}
}

func TestALoginIsForTheProjectThatListsIt(t *testing.T) {
	s := sources()
	for project, user := range map[string]string{"shop": "shop-bot", "pay": "pay-bot", "blog": "", "nobody": ""} {
		got := s.Logins(project)
		if user == "" {
			if len(got) != 0 {
				t.Errorf("%s logs in as %q", project, got[0].User)
			}
			continue
		}
		if len(got) != 1 || got[0].User != user || got[0].Password.Reveal() != "value of harbor-"+project || strings.Contains(got[0].Of, "value") || !strings.Contains(got[0].Of, "harbor-"+project) {
			t.Errorf("%s has %d logins", project, len(got))
		}
	}
	if !slices.Contains(s.Secrets(), secret.Text("value of harbor-pay")) {
		t.Error("a registry's password is not masked")
	}
}

func TestAnActionSpeaksToRegistriesInTheNameOfItsProject(t *testing.T) {
	r, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: "registry.example", User: "seatrial", Password: "p"}}, Logins: sources().Logins})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		of   release.Release
		user string
	}{
		{"a project with a login", release.Release{Project: "shop"}, "shop-bot"},
		{"a project without one", release.Release{Project: "blog"}, "seatrial"},
		{"a pull request of the repo's own branch", release.Release{Project: "shop", Pull: &release.Pull{}}, "shop-bot"},
		{"a fork's", release.Release{Project: "shop", Pull: &release.Pull{Fork: true}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := builds.As(func(ctx context.Context, _ string, _ release.Release) (release.Facts, release.Verdict, error) {
				user, _, err := r.Login(ctx, "registry.example")
				if user != c.user {
					t.Errorf("it logs in as %q", user)
				}
				return release.Facts{}, release.Pass(), err
			})(t.Context(), "key", c.of)
			if err != nil {
				t.Error(err)
			}
		})
	}
}
