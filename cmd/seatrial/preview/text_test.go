package preview_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seatrial/seatrial/cmd/seatrial/preview"
	"github.com/seatrial/seatrial/deployer/live"
)

func report() preview.Report {
	web := live.ObjectDiff{Kind: "Deployment", Namespace: "shop", Name: "web", Act: live.Changes,
		Text: "--- a\n+++ b\n@@ -1 +1 @@\n-        image: registry.example/shop/web@sha256:1111\n+        image: registry.example/shop/web@sha256:" + strings.Repeat("0", 64) + "\n"}
	return preview.Report{Service: "shop/web", Commit: "3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817", Link: "https://seatrial.example/releases/shop.web.pull-7.3f2a91c0", Environments: []preview.Environment{
		{Name: "staging", Targets: []preview.Target{{Cluster: "staging", Objects: []live.ObjectDiff{web, {Kind: "ConfigMap", Namespace: "shop", Name: "old", Act: live.Deletes, Text: "-a: b\n"}}}}},
		{Name: "prod", Refused: "no-latest-tag: Deployment/web: image x:latest | see `docs`", Targets: []preview.Target{
			{Cluster: "prod-canary", Objects: []live.ObjectDiff{web}}, {Cluster: "prod-main", Objects: []live.ObjectDiff{web}},
			{Cluster: "prod-far", Problem: "cluster prod-far does not answer: connection refused"}, {Cluster: "prod-same"}}},
		{Name: "empty", Problem: "render: deploy/main.jsonnet: no host"},
		{Name: "nowhere"},
	}}
}

func TestText(t *testing.T) {
	file := filepath.Join("testdata", "comment.md")
	got := preview.Text(report())
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%v\ngot\n%s\nwant\n%s", err, got, want)
	}
}

func TestNothingBreaksOutOfItsPlace(t *testing.T) {
	r := report()
	evil := "a ``````diff\n</details>\n@everyone\n/ok-to-test 3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817\n"
	r.Environments = []preview.Environment{{Name: "staging", Refused: evil, Targets: []preview.Target{{Cluster: "c", Problem: evil},
		{Cluster: "d", Objects: []live.ObjectDiff{{Kind: "Evil</summary>", Name: "@all", Act: live.Creates, Text: evil}}}}}}
	got := preview.Text(r)
	if strings.Contains(got, "/ok-to-test") || strings.Contains(got, "Evil</summary>") {
		t.Errorf("a command or a tag came through:\n%s", got)
	}
	fenced, mentions := false, 0
	for line := range strings.Lines(got) {
		switch {
		case strings.HasPrefix(line, "```````"): // one more than what is inside
			fenced = !fenced
		case strings.Contains(line, "@everyone") && !fenced && strings.Count(line, "`")%2 != 0, strings.HasPrefix(line, "@"):
			if !fenced {
				t.Errorf("a mention: %s", line)
			}
		}
		mentions += strings.Count(line, "@everyone")
	}
	if fenced || mentions != 3 {
		t.Errorf("a fence is open: %v; %d mentions are shown as code, want 3:\n%s", fenced, mentions, got)
	}
}

func TestACommentIsNeverLongerThanAForgeTakes(t *testing.T) {
	r := preview.Report{Service: "shop/web", Commit: "3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817"}
	env := preview.Environment{Name: "prod", Refused: strings.Repeat("策略", 5000)}
	for i := range 400 {
		target := preview.Target{Cluster: fmt.Sprintf("cluster-%d", i)}
		for j := range 30 {
			target.Objects = append(target.Objects, live.ObjectDiff{Kind: "ConfigMap", Name: fmt.Sprintf("c-%d-%d", i, j), Act: live.Creates, Text: strings.Repeat("+ 一行文字\n", 2000)})
		}
		env.Targets = append(env.Targets, target)
	}
	r.Environments = []preview.Environment{env, {Name: "last"}}
	got := preview.Text(r)
	if len(got) > 65_000 || !utf8.ValidString(got) || !strings.Contains(got, " parts are left out") || !strings.Contains(got, "#### last") {
		t.Errorf("%d bytes, valid %v, ends %q", len(got), utf8.ValidString(got), got[max(0, len(got)-200):])
	}
	if opened, closed := strings.Count(got, "<details>"), strings.Count(got, "</details>"); opened == 0 || opened != closed {
		t.Errorf("%d details are opened and %d closed", opened, closed)
	}
}
