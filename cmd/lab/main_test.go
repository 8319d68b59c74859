package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/lab/layout"
)

func TestChoose(t *testing.T) {
	own := layout.Cluster{Name: "own", Index: 12, Labels: map[string]string{"a": "b"}}
	for _, tc := range []struct {
		claim  string
		names  []string
		index  int
		labels map[string]string
		chaos  bool
		want   string // name:index pairs, or the error's part after "!"
	}{
		{"no name means the three", nil, 0, nil, false, "staging:1 prod-canary:2 prod-main:3"},
		{"a new name gets the next free index", []string{"x", "y"}, 0, nil, false, "x:10 y:11"},
		{"a new name may choose its index", []string{"x"}, 59, nil, false, "x:59"},
		{"a cluster that exists keeps its index", []string{"own"}, 0, nil, false, "own:12"},
		{"its index may be repeated", []string{"own"}, 12, nil, false, "own:12"},
		{"but not changed", []string{"own"}, 13, nil, false, "!down it first"},
		{"nor its labels", []string{"staging"}, 0, map[string]string{"env": "x"}, false, "!down it first"},
		{"one index is not for two", []string{"x", "y"}, 20, nil, false, "!exactly one"},
		{"chaos is added to what exists", []string{"own"}, 0, nil, true, "own:12+chaos"},
		{"staging has chaos anyway", []string{"staging"}, 0, nil, false, "staging:1+chaos"},
	} {
		t.Run(tc.claim, func(t *testing.T) {
			got, err := choose(tc.names, []layout.Cluster{own}, tc.index, tc.labels, kind{chaos: tc.chaos})
			if part, refused := strings.CutPrefix(tc.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, %v, want an error with %q", got, err, part)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(tc.want)
			if len(got) != len(want) {
				t.Fatalf("got %v, want %v", got, want)
			}
			for i, c := range got {
				text, chaos := strings.CutSuffix(want[i], "+chaos")
				name, index, _ := strings.Cut(text, ":")
				if c.Name != name || layout.Cluster.Link(c) != "lab"+index || chaos && !c.Chaos || c.Labels == nil {
					t.Errorf("got %+v, want %s", c, want[i])
				}
			}
		})
	}
}

func TestAnUnknownCommandIsAnError(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"sink"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), `error: unknown command "sink"`) {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}

func TestEnvWithoutALabSaysSo(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"--root", t.TempDir(), "env"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "no lab is up") || out.Len() != 0 {
		t.Errorf("exit %d, %s%s", code, out.String(), errs.String())
	}
}

func TestInitOutsideANamespaceIsRefused(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"_init", t.TempDir()}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "not the first process") {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}
