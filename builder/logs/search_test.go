package logs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/internal/secret"
)

// found searches a log to its end and joins what it finds; looks counts the calls.
func found(t *testing.T, b *logs.Book, text string, limit int) (lines string, looks int) {
	t.Helper()
	var out []string
	for after := int64(0); looks == 0 || after > 0; looks++ {
		f, err := b.Search(t.Context(), id, text, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if f.After != 0 && f.After <= after {
			t.Fatalf("it stands still at %d", after)
		}
		for _, l := range f.Lines {
			out = append(out, fmt.Sprint(l.N, " ", l.Text))
		}
		after = f.After
	}
	return strings.Join(out, "|"), looks
}

func TestSearch(t *testing.T) {
	b, dir := open(t, logs.Config{})
	l := start(t, b, secret.Text("correct-horse"))
	l.Write("[1/2] RUN go Test ./...", "stdout", []byte("ok a.b\nFAIL <x> \"q\"\nToken=correct-horse\n"))
	l.Write("[2/2] RUN make", "stdout", []byte("Fehler: ÄPFEL\naxb\n构建失败\n"))
	for _, c := range []struct{ name, text, want string }{
		{"the letter case counts for nothing", "fail", `1 FAIL <x> "q"`},
		{"nor does it beyond ASCII", "äpfel", "3 Fehler: ÄPFEL"},
		{"what JSON escapes is found as it stands", `<X> "Q"`, `1 FAIL <x> "q"`},
		{"a dot is a dot", "a.b", "0 ok a.b"},
		{"no text is a pattern", `a(.*`, ""},
		{"Chinese", "失败", "5 构建失败"},
		{"the name of a step finds its lines", "go test", `0 ok a.b|1 FAIL <x> "q"|2 Token=***`},
		{"a secret is not there to be found", "correct", ""},
		{"not the field names of the file", `"stream"`, ""},
		{"nothing", "nowhere", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := found(t, b, c.text, 0); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got, looks := found(t, b, "o", 1); got != `0 ok a.b|1 FAIL <x> "q"|2 Token=***` || looks != 4 {
		t.Errorf("in pages of one: %q in %d calls", got, looks)
	}
	name := filepath.Join(dir, string(id)+".log")
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(raw, "{damaged\n{\"text\":\"ok, being written"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := found(t, b, "ok a", 0); got != "0 ok a.b" {
		t.Errorf("beside damaged lines: %q", got)
	}
	for _, after := range []int64{1, int64(len(raw)) / 2, int64(len(raw)) + 99, 1 << 60} {
		if f, err := b.Search(t.Context(), id, "ok a", after, 0); err != nil || len(f.Lines) > 0 || f.After != 0 {
			t.Errorf("from %d on: %+v, %v", after, f, err)
		}
	}
	if f, err := b.Search(t.Context(), "shop.web.other", "ok", 0, 0); err != nil || f.Lines == nil || len(f.Lines) > 0 {
		t.Errorf("without a log: %+v, %v", f, err)
	}
	if _, err := b.Search(t.Context(), "../etc", "ok", 0, 0); err == nil {
		t.Error("a name that leads elsewhere")
	}
}

func TestOneSearchLooksAtABoundedPart(t *testing.T) {
	b, _ := open(t, logs.Config{})
	l := start(t, b)
	line := strings.Repeat("x", 1000) + "\n"
	for range 7 { // 7 MB in the file
		l.Write("step", "stdout", []byte(strings.Repeat(line, 1000)))
	}
	l.Write("step", "stdout", []byte("needle\n"))
	l.Close("built")
	got, looks := found(t, b, "NEEDLE", 0)
	if got != "7000 needle" || looks < 4 || looks > 5 {
		t.Errorf("found %q in %d calls", got, looks)
	}
}

// FuzzSearch: whatever is searched for from wherever, each line found has it, and the
// search ends.
func FuzzSearch(f *testing.F) {
	f.Add("ok", int64(0))
	f.Add("İ", int64(17))
	f.Add("\xff\"", int64(-5))
	f.Fuzz(func(t *testing.T, text string, after int64) {
		b, _ := open(t, logs.Config{})
		l := start(t, b)
		l.Write("a step", "stdout", []byte(text+"\nok İ\n"))
		for range 9 {
			found, err := b.Search(t.Context(), id, text, after, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range found.Lines {
				lower := strings.ToLower(text)
				if !strings.Contains(strings.ToLower(l.Text), lower) && !strings.Contains(strings.ToLower(l.Step), lower) {
					t.Errorf("%q was found for %q", l.Text, text)
				}
			}
			if after = found.After; after == 0 {
				return
			}
		}
		t.Error("it does not end")
	})
}
