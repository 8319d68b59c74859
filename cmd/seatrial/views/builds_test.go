package views_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/cmd/seatrial/views"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/builds"
)

func digest(c string) release.Digest { return release.Digest("sha256:" + strings.Repeat(c, 64)) }

// signed is a release whose index was verified twice, and one platform of it never.
func signed() release.Release {
	said := func(key string, holds bool) release.Verdict {
		return release.Pass(release.Evidence{Gate: "signature", Holds: holds, Detail: "said " + key,
			Facts: map[string]string{"bundle": string(digest("b")), "subject": string(digest("1")), "key": key}})
	}
	return release.Release{ID: "shop.web.3f2a91c07d0b",
		Artifact: &release.Artifact{Repository: "reg/shop/web", Tag: "t", Digest: digest("1"), Platforms: []release.Platform{{Name: "linux/amd64", Digest: digest("2")}},
			Signed: []release.Attached{{Subject: digest("1"), PredicateType: "p", Digest: digest("b")}, {Subject: digest("2"), PredicateType: "p", Digest: digest("b")}}},
		Verdicts: []release.Judgement{{Gate: "signing", At: time.Unix(1, 0), Verdict: said("old", true)}, {Gate: "policy", At: time.Unix(2, 0), Verdict: said("new", false)}}}
}

func view(r release.Release) views.Builds {
	return views.Builds{
		Release: func(_ context.Context, id release.ID) (release.Release, error) {
			if id != r.ID {
				return release.Release{}, fmt.Errorf("release %s: %w", id, release.ErrNotFound)
			}
			return r, nil
		},
		Report: func(_ context.Context, r release.Release) (builder.Report, error) {
			if r.Artifact == nil {
				return builder.Report{}, fmt.Errorf("report: %w", fs.ErrNotExist)
			}
			return builder.Report{Build: "9f2c01ab", Steps: []builder.Step{{Name: "[1/1] RUN make", Cached: true}}}, nil
		},
		Bill: func(context.Context, release.Artifact, release.Platform) ([]byte, error) {
			return []byte(`{"components": [{"type": "library", "name": "zed"}, {"type": "library", "name": "app"}]}`), nil
		},
	}
}

func TestWhatIsAttachedIsToldWithItsLastVerification(t *testing.T) {
	got, err := view(signed()).Build(t.Context(), signed().ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []builds.Document{
		{Subject: digest("1"), PredicateType: "p", Digest: digest("b"), Key: "new", At: time.Unix(2, 0), Detail: "said new"},
		{Subject: digest("2"), Platform: "linux/amd64", PredicateType: "p", Digest: digest("b")},
	}
	if !reflect.DeepEqual(got.Attached, want) {
		t.Errorf("got  %+v\nwant %+v", got.Attached, want)
	}
	if len(got.Steps) != 1 || got.ID != "9f2c01ab" || got.Changed == nil || got.Inputs == nil || got.Bases == nil || got.Platforms == nil {
		t.Errorf("got %+v", got)
	}
}

func TestAPlatformIsSearched(t *testing.T) {
	for _, c := range []struct {
		name string
		f    builds.Filter
		want string
		err  error
	}{
		{name: "the first platform, by name", f: builds.Filter{Limit: 50}, want: "linux/amd64: app zed of 2"},
		{name: "a page of it", f: builds.Filter{Platform: "linux/amd64", Limit: 1}, want: "linux/amd64: app of 2, next 1"},
		{name: "what is asked for", f: builds.Filter{Query: "ZE", Limit: 50}, want: "linux/amd64: zed of 1"},
		{name: "a platform that the image does not have", f: builds.Filter{Platform: "linux/arm64", Limit: 50}, err: web.ErrNotFound},
		{name: "a page without a size", f: builds.Filter{}, err: web.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			page, err := view(signed()).Components(t.Context(), signed().ID, c.f)
			if !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if c.err != nil {
				return
			}
			got := page.Platform.Name + ":"
			for _, x := range page.Items {
				got += " " + x.Name
			}
			got += fmt.Sprintf(" of %d", page.Matches)
			if page.Next > 0 {
				got += fmt.Sprintf(", next %d", page.Next)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWithoutABuildThereIsNoReport(t *testing.T) {
	r := release.Release{ID: "shop.web.3f2a91c07d0b"}
	_, noReport := view(r).Build(t.Context(), r.ID)
	_, noImage := view(r).Components(t.Context(), r.ID, builds.Filter{Limit: 1})
	_, noRelease := view(r).Build(t.Context(), "shop.web.000000000000")
	for name, err := range map[string]error{"no report": noReport, "no image": noImage, "no release": noRelease} {
		if !errors.Is(err, web.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnSBOMIsGivenAsItIsSignedOrInTheVersionAskedFor(t *testing.T) {
	for _, c := range []struct {
		name, platform, version string
		want, hint              string
		err                     error
	}{
		{name: "without a version as it is signed, byte by byte", want: `{"components": [{"type": "library", "name": "zed"}, {"type": "library", "name": "app"}]}`},
		{name: "an older version", version: "1.5", want: `"specVersion":"1.5"`},
		{name: "the version it is kept in", platform: "linux/amd64", version: "1.6", want: `"specVersion":"1.6"`},
		{name: "a version that there is not", version: "1.4", err: web.ErrInvalid, hint: "ask for version=1.5 or version=1.6"},
		{name: "a platform that the image does not have", platform: "linux/arm64", err: web.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := view(signed()).SBOM(t.Context(), signed().ID, c.platform, c.version)
			if !errors.Is(err, c.err) || hint.Of(err) != c.hint {
				t.Fatalf("got %v, hint %q, want %v", err, hint.Of(err), c.err)
			}
			if !strings.Contains(string(raw), c.want) {
				t.Errorf("got %s, want %s", raw, c.want)
			}
		})
	}
}
