package logs_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const id = release.ID("shop.web.3f2a91c07d0b")

func open(t *testing.T, cfg logs.Config) (*logs.Book, string) {
	t.Helper()
	dir := t.TempDir()
	b, err := logs.Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b, dir
}

func start(t *testing.T, b *logs.Book, secrets ...secret.Text) *logs.Log {
	t.Helper()
	l, err := b.Start(id, logs.NewMasker(secrets...))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func texts(t *testing.T, b *logs.Book, from int64, limit int) ([]string, logs.Page) {
	t.Helper()
	p, err := b.Read(t.Context(), id, from, limit)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, l := range p.Lines {
		if l.N != from+int64(i) {
			t.Errorf("line %d has number %d", from+int64(i), l.N)
		}
		out = append(out, l.Text)
	}
	return out, p
}

func TestLinesAreFormedFromChunks(t *testing.T) {
	b, _ := open(t, logs.Config{})
	l := start(t, b)
	l.Write("a", "stdout", []byte("one\ntw"))
	l.Write("b", "stdout", []byte("other\n"))
	l.Write("a", "stdout", []byte("o\n\x1b[31mred\x1b[0m 10%\r100%\nlast"))
	got, p := texts(t, b, 0, 100)
	if strings.Join(got, "|") != "one|other|two|100%" || p.Done || p.Next != 4 {
		t.Errorf("got %q, %+v", got, p)
	}
	if err := l.Close("built"); err != nil {
		t.Fatal(err)
	}
	if got, p = texts(t, b, 4, 100); strings.Join(got, "|") != "last|built" || !p.Done {
		t.Errorf("got %q, done %v", got, p.Done)
	}
	if got, p = texts(t, b, 0, 2); len(got) != 2 || p.Done || p.Next != 2 {
		t.Errorf("a page that is not the last is not done: %q %+v", got, p)
	}
	if got, p = texts(t, b, 6, 10); len(got) != 0 || !p.Done {
		t.Errorf("reading on at the end: %q, done %v", got, p.Done)
	}
}

func TestAnotherAttemptGoesOn(t *testing.T) {
	b, dir := open(t, logs.Config{})
	l := start(t, b)
	l.Note("", "note", "first")
	if err := l.Close("failed"); err != nil {
		t.Fatal(err)
	}
	// kill -9 in the middle of a line
	f, err := os.OpenFile(filepath.Join(dir, string(id)+".log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"n":2,"te`)
	f.Close()
	l = start(t, b)
	l.Note("", "note", "second")
	got, p := texts(t, b, 0, 10)
	if strings.Join(got, "|") != "first|failed|second" || p.Done {
		t.Errorf("got %q, done %v", got, p.Done)
	}
	if _, err := b.Start(id, nil); err == nil {
		t.Error("one writer at a time")
	}
	l.Close("built")
}

func TestSecretsAreMasked(t *testing.T) {
	const s = `p@ss"w\rd/with stuff`
	quoted, _ := json.Marshal(s)
	for name, in := range map[string]string{
		"plain":                 "token=" + s + ";",
		"URL":                   "https://u:" + url.QueryEscape(s) + "@host",
		"JSON":                  string(quoted),
		"base64":                base64.StdEncoding.EncodeToString([]byte(s)),
		"base64 inside, 1 off":  base64.StdEncoding.EncodeToString([]byte("x" + s + "yy")),
		"base64 inside, 2 off":  base64.URLEncoding.EncodeToString([]byte("xx" + s + "y")),
		"base64 of a user pair": base64.StdEncoding.EncodeToString([]byte("user:" + s)),
	} {
		m := logs.NewMasker(secret.Text(s))
		if got := m.Mask(in); !strings.Contains(got, "***") || m.Found(got) || !m.Found(in) {
			t.Errorf("%s: %q became %q", name, in, got)
		}
	}
}

func TestSecretsAreMaskedOverBorders(t *testing.T) {
	const s = "correct-horse-battery"
	b, dir := open(t, logs.Config{})
	l := start(t, b, secret.Text(s), secret.Text("ab"), secret.Text("-----BEGIN KEY-----\nMHcCAQEEIabcdef\n-----END KEY-----\n"))
	for _, c := range []byte("say " + s + " and MHcCAQEEIabcdef\n") {
		l.Write("step with "+s, "stdout", []byte{c})
	}
	// A line without end: the secret lies on every possible break.
	long := strings.Repeat("x", 8170) + s + strings.Repeat("y", 9000) + s
	l.Write("step", "stdout", []byte(long))
	l.Write("step", "stdout", []byte("zz\n"))
	l.Close("pushed with " + s)
	raw, err := os.ReadFile(filepath.Join(dir, string(id)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "horse") || strings.Contains(string(raw), "MHcCAQEE") {
		t.Errorf("a secret is in the log: %.300s", raw)
	}
	if !strings.Contains(string(raw), "say *** and ***") {
		t.Errorf("log %.300s", raw)
	}
}

func TestALongLogKeepsItsEnd(t *testing.T) {
	b, dir := open(t, logs.Config{MaxBytes: 10_000, Tail: 5})
	l := start(t, b)
	for i := range 1000 {
		l.Write("s", "stdout", fmt.Appendf(nil, "line %d\n", i))
	}
	l.Close("failed")
	got, p := texts(t, b, 0, 2000)
	end := got[len(got)-7:]
	if !strings.Contains(end[0], "lines left out") || end[1] != "line 995" || end[6] != "failed" || !p.Done {
		t.Errorf("end %q", end)
	}
	if st, _ := os.Stat(filepath.Join(dir, string(id)+".log")); st.Size() > 12_000 {
		t.Errorf("%d bytes", st.Size())
	}
}

func TestSubscribersFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := open(t, logs.Config{})
		l := start(t, b)
		l.Note("", "note", "zero")
		ctx, cancel := context.WithCancel(t.Context())
		var fast []string
		hold := make(chan struct{})
		go b.Subscribe(ctx, id, 0, func(ls []logs.Line) error {
			for _, x := range ls {
				fast = append(fast, x.Text)
			}
			return nil
		})
		slow := make(chan error, 1)
		go func() {
			slow <- b.Subscribe(ctx, id, 1, func([]logs.Line) error { <-hold; return errors.New("had enough") })
		}()
		for i := range 1200 {
			l.Note("", "note", fmt.Sprint(i)) // the slow one holds nothing up
		}
		synctest.Wait()
		if len(fast) != 1201 || fast[0] != "zero" || fast[1200] != "1199" {
			t.Errorf("%d lines", len(fast))
		}
		close(hold)
		if err := <-slow; err == nil || err.Error() != "had enough" {
			t.Errorf("the subscriber's error ends it, got %v", err)
		}
		cancel()
		synctest.Wait()
		l.Close("")
	})
}

func TestOldLogsAreForgotten(t *testing.T) {
	b, dir := open(t, logs.Config{Keep: 3})
	for i := range 6 {
		l, err := b.Start(release.ID(fmt.Sprintf("shop.web.%d", i)), nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Close("")
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) > 4 {
		t.Errorf("%d logs are kept", len(entries))
	}
	for _, bad := range []release.ID{"", "../x", ".hidden"} {
		if _, err := b.Read(t.Context(), bad, 0, 1); err == nil {
			t.Errorf("%q is not a release", bad)
		}
	}
}

func FuzzLinesSurvive(f *testing.F) {
	f.Add([]byte("a\r\x1b[1mb\n"), "secret-value")
	f.Fuzz(func(t *testing.T, chunk []byte, s string) {
		b, err := logs.Open(t.TempDir(), logs.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		l, err := b.Start(id, logs.NewMasker(secret.Text(s)))
		if err != nil {
			t.Fatal(err)
		}
		l.Write("s", "stdout", chunk)
		l.Close("x")
		if p, err := b.Read(t.Context(), id, 0, 10); err != nil || len(p.Lines) == 0 {
			t.Fatalf("%v %v", p, err)
		}
	})
}
