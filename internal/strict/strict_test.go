package strict_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

type base struct {
	Owner string `json:"owner,omitempty"`
}

type fleet struct {
	base
	Name     string            `json:"name"`
	Replicas int               `json:"replicas,omitempty"`
	Small    int8              `json:"small,omitempty"`
	Count    uint16            `json:"count,omitempty"`
	Ratio    float64           `json:"ratio,omitempty"`
	On       bool              `json:"on,omitempty"`
	Wait     release.Duration  `json:"wait,omitempty"`
	Tick     time.Duration     `json:"tick,omitempty"`
	Phase    release.Phase     `json:"phase,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Ships    []ship            `json:"ships,omitempty"`
	Flag     *ship             `json:"flag,omitempty"`
	Base     base              `json:"base"`
	Envs     []release.Env     `json:"envs,omitempty"`
	Verdict  release.Verdict   `json:"verdict,omitzero"`
	Any      any               `json:"any,omitempty"`
}

type ship struct {
	Name string `json:"name"`
	Guns int    `json:"guns,omitempty"`
}

func TestDecodeReadsEveryType(t *testing.T) {
	text := `
owner: navy
name: "7"
replicas: 3
small: -8
count: 65535
ratio: 0.25
on: true
wait: 90s
tick: 5m
phase: Building
labels: {day: 2026-01-02, "1": one}
ships: &ships
  - {name: a, guns: 2}
  - name: b
flag: {name: c}
envs: [staging, prod]
verdict: {outcome: Refuse, reason: burning}
any: {ships: *ships, n: [1, 2.5, null, true]}
`
	var got fleet
	if err := strict.Decode("f.yaml", []byte(text), strict.Limits{}, &got); err != nil {
		t.Fatal(err)
	}
	if got.Verdict.Outcome() != release.Refused {
		t.Errorf("verdict = %v", got.Verdict)
	}
	got.Verdict = release.Verdict{}
	ships := []any{map[string]any{"name": "a", "guns": 2}, map[string]any{"name": "b"}}
	want := fleet{base: base{Owner: "navy"}, Name: "7", Replicas: 3, Small: -8, Count: 65535, Ratio: 0.25, On: true,
		Wait: release.Duration(90 * time.Second), Tick: 5 * time.Minute, Phase: release.Building,
		Labels: map[string]string{"day": "2026-01-02", "1": "one"},
		Ships:  []ship{{Name: "a", Guns: 2}, {Name: "b"}}, Flag: &ship{Name: "c"}, Envs: []release.Env{"staging", "prod"},
		Any: map[string]any{"ships": ships, "n": []any{1, 2.5, nil, true}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeKeepsDefaults(t *testing.T) {
	got := fleet{Replicas: 2, Flag: &ship{Name: "d", Guns: 9}}
	if err := strict.Decode("f.yaml", []byte("name: x\nflag: {guns: 1}"), strict.Limits{}, &got); err != nil {
		t.Fatal(err)
	}
	if got.Replicas != 2 || *got.Flag != (ship{Name: "d", Guns: 1}) {
		t.Errorf("defaults were lost: %+v, flag %+v", got, got.Flag)
	}
}

func TestDecodePointsAtTheMistake(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown field is named with its neighbour", "name: x\nships:\n  - replcias: 2\nreplcias: 3",
			"f:3:5: unknown field \"replcias\" (there is: name, guns)\nf:4:1: unknown field \"replcias\" (did you mean \"replicas\"?)"},
		{"swapped letters are found", "nmae: x", `f:1:1: unknown field "nmae" (did you mean "name"?)`},
		{"a list where text is wanted", "name: [a]", `f:1:7: name: want text, got a list`},
		{"text where a list is wanted", "envs: prod", `f:1:7: envs: want a list, got "prod"`},
		{"text where a map is wanted", "flag: yes", `f:1:7: flag: want a map with fields, got "yes"`},
		{"a list where a map is wanted", "labels: []", `f:1:9: labels: want a map, got a list`},
		{"a number where text is wanted tells about quotes", "name: 1.10", `f:1:7: name: want text, got the number 1.10: write it in quotes, "1.10"`},
		{"a boolean where text is wanted", "labels: {a: true}", `f:1:13: labels.a: want text, got true or false: write it in quotes, "true"`},
		{"yes is not a boolean", "on: yes", `f:1:5: on: want true or false, got "yes"`},
		{"a broken boolean tag", "on: !!bool \"\"", `f:1:5: on: want true or false, got true or false`},
		{"text where a number is wanted", "replicas: many", `f:1:11: replicas: want a whole number, got "many"`},
		{"a fraction where a whole number is wanted", "replicas: 1.5", `f:1:11: replicas: want a whole number, got the number 1.5`},
		{"a number out of range", "small: 300\ncount: -1", "f:1:8: small: the number 300 is out of range\nf:2:8: count: the number -1 is out of range"},
		{"a bad duration", "wait: 5 minutes", `f:1:7: wait: "5 minutes" is not a duration like 90s or 5m`},
		{"a duration without a unit", "tick: 90", `f:1:7: tick: want a duration like 90s or 5m, got the number 90`},
		{"an unknown word of an enum", "phase: Sailing", `f:1:8: phase: phase "Sailing" is none of [Building Signing Checking Approving Deploying Trial Verified Done RollingBack RolledBack Failed Held Superseded]`},
		{"a key without a value", "name:\nreplicas: 1", `f:1:6: name: has no value: give it one or leave the key out`},
		{"a duplicate key", "name: a\nname: b", `f:2:1: key "name" is already on line 1`},
		{"a duplicate key deep inside", "flag:\n  name: a\n  \"name\": b", `f:3:3: key "name" is already on line 2`},
		{"a key that is a number", "labels: {1: a}", `f:1:10: key 1 is the number 1: write it in quotes`},
		{"a key that is a list", "? [a]\n: b", `f:1:3: a key has to be text`},
		{"a merge key", "flag: &f {name: a}\nships: [{<<: *f}]", `f:2:10: merge keys (<<) are not supported: write the fields out`},
		{"a tag of somebody's own", "name: !env HOME", `f:1:7: tag !env is not supported`},
		{"binary where text is wanted", "name: !!binary aGk=", `f:1:7: name: want text, got binary`},
		{"columns count characters", "labels: {\"目标\": 1}", `f:1:16: labels.目标: want text, got the number 1: write it in quotes, "1"`},
		{"a second document", "name: a\n---\nname: b", `f:3:1: a second document begins here: only one is wanted`},
		{"a list at the root", "- a", `f:1:1: want a map with fields, got a list`},
		{"nothing at all", "", `f:1:1: is empty: a YAML document is wanted`},
		{"only comments", "# later\n---\n", `f:1:1: is empty: a YAML document is wanted`},
		{"broken syntax", "name: a\n  b: c", `f:2:3: not YAML: mapping values are not allowed in this context`},
		{"a tab as indentation", "flag:\n\tname: a", `f:2:2: not YAML: found character that cannot start any token`},
		{"an unknown anchor", "name: *a", `f:1:1: not YAML: unknown anchor 'a' referenced`},
		{"apiVersion is unknown where no kind is wanted", "apiVersion: v1", `f:1:1: unknown field "apiVersion"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := strict.Decode("f", []byte(c.text), strict.Limits{}, &fleet{})
			if err == nil || err.Error() != c.want {
				t.Errorf("error\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	utf16 := []byte{0xff, 0xfe, 'n', 0, 'a', 0}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"UTF-16 with a mark", utf16, "f:1:1: is UTF-16: save it as UTF-8"},
		{"UTF-16 without a mark", utf16[2:], "f:1:2: is a NUL byte: binary or UTF-16 files are not read, save it as UTF-8"},
		{"Latin-1", []byte("# ok\nname: M\xfcller"), "f:2:8: byte 0xfc is not UTF-8: save the file as UTF-8"},
		{"an escape sequence", []byte("name: \x1b[2J"), "f:1:7: control character U+001B is not allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := strict.Decode("f", c.data, strict.Limits{}, &fleet{})
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
	if err := strict.Decode("f", []byte("\xef\xbb\xbfname: a"), strict.Limits{}, &fleet{}); err != nil {
		t.Errorf("a UTF-8 byte order mark is harmless: %v", err)
	}
}

func TestLimits(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'i'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10))
	}
	for _, c := range []struct{ name, text, want string }{
		{"10 MB are refused unread", strings.Repeat("a", 10<<20), "f: is 10485760 bytes: at most 262144 are read"},
		{"an alias bomb", bomb, "more than 10000 values once aliases are followed"},
		{"an alias to itself", "a: &a [*a]", "alias *a contains itself"},
		{"deep nesting", strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested deeper than 50 levels"},
		{"nesting beyond the parser", strings.Repeat("[", 100_000), "exceeded max depth"},
		{"a long list", "[" + strings.Repeat("1,", 10_001) + "]", "more than 10000 values"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out any
			err := strict.Decode("f", []byte(c.text), strict.Limits{}, &out)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %.200v, want %s", err, c.want)
			}
		})
	}
}

func TestAtMostTwentyProblems(t *testing.T) {
	var text strings.Builder
	for i := range 30 {
		fmt.Fprintf(&text, "unknown%d: 1\n", i)
	}
	err := strict.Decode("f", []byte(text.String()), strict.Limits{}, &fleet{})
	e, ok := errors.AsType[*strict.Error](err)
	if !ok || len(e.Problems) != 20 || e.More != 10 {
		t.Fatalf("error = %v", err)
	}
	if !strings.HasSuffix(err.Error(), "\nand 10 more") {
		t.Errorf("the rest is not mentioned: %v", err)
	}
	if hint.Of(fmt.Errorf("load: %w", err)) == "" {
		t.Error("no hint")
	}
}

func TestDocuments(t *testing.T) {
	text := "---\napiVersion: v1\nkind: A\nmetadata: {name: x}\nspec: 1\n---\n# nothing\n---\nkind: B\nspec: 2\n---\n"
	docs, err := strict.Documents("d.yaml", []byte(text))
	if err != nil || len(docs) != 2 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	if d := docs[0]; d.APIVersion != "v1" || d.Kind != "A" || d.Name != "x" || d.Line != 2 || d.File != "d.yaml" {
		t.Errorf("first = %+v", d)
	}
	if docs[1].Line != 9 {
		t.Errorf("second at line %d, want 9", docs[1].Line)
	}
	var b struct {
		Spec int `json:"spec"`
	}
	if err := docs[1].Decode(&b); err != nil || b.Spec != 2 {
		t.Errorf("decode without a field for kind: %+v, %v", b, err)
	}
	err = docs[0].Decode(&b)
	if err == nil || err.Error() != `d.yaml:4:1: unknown field "metadata" (there is: spec)` {
		t.Errorf("decode = %v", err)
	}
	var whole any
	if err := docs[0].Decode(&whole); err != nil || whole.(map[string]any)["spec"] != 1 {
		t.Errorf("decode into any = %v, %v", whole, err)
	}
}

func TestIssuesFindTheirLine(t *testing.T) {
	doc, err := strict.Parse("p", []byte("a:\n  waves:\n    - name: one\n      at: 3\n  labels:\n    x/y.z: \"1\"\nb: &b {c: d}\ne: *b\n"), strict.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		issue strict.Issue
		want  string
	}{
		{"a value", strict.At("bad", "a", "waves", 0, "at"), "p:4:11: a.waves[0].at: bad"},
		{"a key with dots", strict.At("bad", "a", "labels", "x/y.z"), "p:6:12: a.labels.x/y.z: bad"},
		{"the key itself", strict.Issue{Path: []any{"a", "labels", "x/y.z"}, Message: "bad", Key: true}, "p:6:5: a.labels.x/y.z: bad"},
		{"a list is found by its key", strict.At("bad", "a", "waves"), "p:2:3: a.waves: bad"},
		{"an element", strict.At("bad", "a", "waves", 0), "p:3:7: a.waves[0]: bad"},
		{"what is absent is found by what should have it", strict.At("bad", "a", "waves", 0, "zone"), "p:3:7: a.waves[0].zone: bad"},
		{"an index too far", strict.At("bad", "a", "waves", 4), "p:2:3: a.waves[4]: bad"},
		{"nothing of the path", strict.At("bad", "q", "r"), "p:1:1: q.r: bad"},
		{"the document", strict.At("bad"), "p:1:1: bad"},
		{"through an alias", strict.At("bad", "e", "c"), "p:7:11: e.c: bad"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strict.Join(doc.Problems(c.issue)).Error(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	doc, err := strict.Parse("p", []byte("kind: F\nreplicas: 1\nships:\n  - name: a\n  - guns: 1\nflag: {}\n"), strict.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := "p:1:1: \"name\" is missing\np:5:5: ships[1]: \"name\" is missing\np:6:1: flag: \"name\" is missing"
	if got := strict.Join(doc.Problems(doc.Missing(&fleet{})...)); got == nil || got.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
}

type even struct {
	N int `json:"n"`
}

func (e *even) Validate() []strict.Issue {
	if e.N%2 != 0 {
		return []strict.Issue{strict.At("want an even number", "n")}
	}
	return nil
}

func TestDecodeAsksTheValidator(t *testing.T) {
	err := strict.Decode("f", []byte("n: 3"), strict.Limits{}, &even{})
	if err == nil || err.Error() != "f:1:4: n: want an even number" {
		t.Errorf("error = %v", err)
	}
	if err := strict.Decode("f", []byte("n: 4"), strict.Limits{}, &even{}); err != nil {
		t.Error(err)
	}
}

func TestProblemsOfKeepsForeignErrors(t *testing.T) {
	got := strict.ProblemsOf("f", errors.New("disk full"))
	if len(got) != 1 || got[0].String() != "f: disk full" {
		t.Errorf("got %v", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"name: a\nships: [{name: b}]", "a: &a [*a]", "? [x]\n: y", "<<: {a: b}", "on: !!bool x", "n: !!int x",
		"- - - -", "\xff\xfe", "any: [.nan, .inf, 0x1f, 1e999, !!float x]", "---\n---\n", "%YAML 1.2\n---\nx", "a: |\n x\n\ty", "wait: [x]", "verdict: {after: x, outcome: 1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out := fleet{}
		err := strict.Decode("f", data, strict.Limits{}, &out)
		if err != nil {
			e, ok := errors.AsType[*strict.Error](err)
			if !ok || len(e.Problems) == 0 || len(e.Problems) > 20 {
				t.Fatalf("error %#v", err)
			}
			for _, p := range e.Problems {
				if p.Message == "" || p.File != "f" || p.Line < 0 {
					t.Fatalf("problem %#v", p)
				}
			}
		}
		docs, err := strict.Documents("f", data)
		if err != nil {
			return
		}
		for _, d := range docs {
			var whole any
			_ = d.Decode(&whole)
			d.Problems(append(d.Missing(&out), strict.At("x", "ships", 0, "name"))...)
		}
	})
}

func TestIssuesCollect(t *testing.T) {
	doc, err := strict.Parse("p", []byte("envs: [a, b, a]\nkind: Shp"), strict.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var is strict.Issues
	is.Once([]string{"a", "b", "a"}, "envs")
	is.AtMost(2, 3, "envs")
	is.OneOf("kind", "Shp", []string{"Ship", "Fleet"}, "kind")
	is.AddKey("odd", "kind")
	want := "p:1:1: envs: has 3 entries: at most 2\np:1:14: envs[2]: \"a\" is listed twice\np:2:1: kind: odd\np:2:7: kind: unknown kind \"Shp\" (did you mean \"Ship\"?)"
	if got := strict.Join(doc.Problems(is...)); got == nil || got.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
}
