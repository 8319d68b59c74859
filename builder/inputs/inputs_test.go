package inputs_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/builder/inputs"
)

const (
	treeA = "3f2a91c000000000000000000000000000000000"
	treeB = "9b1c22d000000000000000000000000000000000"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after inputs.Set
		want          string
	}{
		{name: "nothing changed", before: inputs.Set{{"the commit", treeA}}, after: inputs.Set{{"the commit", treeA}}, want: ""},
		{name: "the order says nothing", before: inputs.Set{{"a", "1"}, {"b", "2"}}, after: inputs.Set{{"b", "2"}, {"a", "1"}}, want: ""},
		{name: "a tree is told by the beginning of its id", before: inputs.Set{{"the tree of web/", treeA}}, after: inputs.Set{{"the tree of web/", treeB}},
			want: "the tree of web/ changed: 3f2a91c -> 9b1c22d"},
		{name: "a digest is told by the beginning of its hex", before: inputs.Set{{"base golang:1.26", "sha256:" + strings.Repeat("ab", 32)}},
			after: inputs.Set{{"base golang:1.26", "sha256:" + strings.Repeat("cd", 32)}}, want: "base golang:1.26 changed: abababa -> cdcdcdc"},
		{name: "what is new comes in the order of the build, what is gone last", before: inputs.Set{{"argument OLD", "x"}, {"the platforms", "linux/amd64"}},
			after: inputs.Set{{"the platforms", "linux/amd64, linux/arm64"}, {"argument NEW", "y"}},
			want:  "the platforms changed: linux/amd64 -> linux/amd64, linux/arm64; new: argument NEW (y); gone: argument OLD (x)"},
		{name: "values that differ only at their end", before: inputs.Set{{"argument A", strings.Repeat("x", 99) + "1"}}, after: inputs.Set{{"argument A", strings.Repeat("x", 99) + "2"}},
			want: "argument A changed"},
		{name: "many changes are counted", before: nil, after: inputs.Set{{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}, {"e", "1"}, {"f", "1"}, {"g", "1"}, {"h", "1"}},
			want: "new: a (1); new: b (1); new: c (1); new: d (1); new: e (1); new: f (1); and 2 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changes := inputs.Compare(c.before, c.after)
			if got := inputs.Words(changes); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if (c.before.Digest() == c.after.Digest()) != (len(changes) == 0) {
				t.Error("the digests are equal exactly when nothing changed")
			}
		})
	}
}

func TestASecretIsKeyed(t *testing.T) {
	one := inputs.Keyed([]byte("key"), "NPM", "hunter2")
	for name, other := range map[string]inputs.Part{
		"another value": inputs.Keyed([]byte("key"), "NPM", "hunter3"),
		"another key":   inputs.Keyed([]byte("yek"), "NPM", "hunter2"),
		"another name":  inputs.Keyed([]byte("key"), "PIP", "hunter2"),
	} {
		if other.Value == one.Value {
			t.Errorf("%s gives the same", name)
		}
	}
	if one != inputs.Keyed([]byte("key"), "NPM", "hunter2") || strings.Contains(one.Value, "hunter2") {
		t.Errorf("the same gives the same, and never shows the value: %+v", one)
	}
}

// FuzzDigest: no two different sets have one digest, however their texts are cut.
func FuzzDigest(f *testing.F) {
	f.Add("the commit", "3f2a", "the tree", "9b1c")
	f.Add("a", "1:b", "a1", ":b")
	f.Add("", "", "0:", "")
	f.Fuzz(func(t *testing.T, name, value, otherName, otherValue string) {
		one, other := inputs.Set{{name, value}}, inputs.Set{{otherName, otherValue}}
		if same := slices.Equal(one, other); same != (one.Digest() == other.Digest()) {
			t.Errorf("%q and %q", one, other)
		}
		if name == otherName {
			return
		}
		both, turned := inputs.Set{one[0], other[0]}, inputs.Set{other[0], one[0]}
		if both.Digest() != turned.Digest() || both.Digest() == one.Digest() {
			t.Errorf("%q: the order counts, or a part does not", both)
		}
		if changes := inputs.Compare(both, turned); len(changes) > 0 {
			t.Errorf("%v between the same parts", changes)
		}
	})
}

func TestASetIsKept(t *testing.T) {
	set := inputs.Set{{"the tree of ./", treeA}, {"argument A", "1"}}
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	var back inputs.Set
	if err := json.Unmarshal(raw, &back); err != nil || back.Digest() != set.Digest() {
		t.Errorf("%s: %v", raw, err)
	}
}
