package builder_test

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// at is a moment of a build, in seconds.
func at(s int) *time.Time {
	t := time.Unix(1_700_000_000+int64(s), 0).UTC()
	return &t
}

func told(v ...*client.Vertex) *client.SolveStatus { return &client.SolveStatus{Vertexes: v} }

func logFor(t *testing.T, secrets ...secret.Text) (*logs.Log, *logs.Book) {
	t.Helper()
	book, err := logs.Open(t.TempDir(), logs.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	log, err := book.Start("shop.web.3f3f3f3f3f3f", logs.NewMasker(secrets...))
	if err != nil {
		t.Fatal(err)
	}
	return log, book
}

func TestStepsOfABuild(t *testing.T) {
	base := "[linux/amd64 build 1/2] FROM docker.io/library/golang:1.26@sha256:" + strings.Repeat("ab", 32)
	compile := "[linux/amd64->arm64 build 2/2] RUN <<EOF\n  go build ./...\nEOF"
	log, book := logFor(t, "correct-horse")
	steps, leftOut := builder.Followed(log, []*client.SolveStatus{
		told(&client.Vertex{Digest: "c", Name: compile}, &client.Vertex{Digest: "b", Name: base}, &client.Vertex{Digest: "n", Name: "never begun"}),
		told(&client.Vertex{Digest: "b", Name: base, Started: at(1), Completed: at(1), Cached: true}),
		told(&client.Vertex{Digest: "c", Name: compile, Started: at(2)}),
		{Logs: []*client.VertexLog{{Vertex: "c", Stream: 1, Data: []byte("hello\n")}}},
		told(&client.Vertex{Digest: "c", Name: compile, Started: at(2), Completed: at(9), Error: "exit code 1, said correct-horse"}),
		told(&client.Vertex{Digest: "e", Name: "exporting to image", Started: at(3), Completed: at(4)}),
		told(&client.Vertex{Digest: "e", Name: "exporting to image", Started: at(3), Completed: at(5)}),
		told(&client.Vertex{Digest: "s", Name: "stopped", Started: at(4)}),
	})
	want := []builder.Step{
		{Name: "[linux/amd64 build 1/2] FROM docker.io/library/golang:1.26", Platform: "linux/amd64", Started: *at(1), Finished: *at(1), Cached: true},
		{Name: "[linux/amd64->arm64 build 2/2] RUN <<EOF go build ./... EOF", Platform: "linux/arm64", Started: *at(2), Finished: *at(9),
			Error: "exit code 1, said ***", LogBytes: 6},
		{Name: "exporting to image", Started: *at(3), Finished: *at(5)},
		{Name: "stopped", Started: *at(4)},
	}
	if !reflect.DeepEqual(steps, want) || leftOut != 0 {
		t.Errorf("got  %+v, %d left out\nwant %+v", steps, leftOut, want)
	}
	if err := log.Close("over"); err != nil {
		t.Fatal(err)
	}
	page, err := book.Read(t.Context(), "shop.web.3f3f3f3f3f3f", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, l := range page.Lines {
		named[l.Step] = true
	}
	for _, s := range steps {
		if !named[s.Name] {
			t.Errorf("the log has no step %q, it has %v", s.Name, named)
		}
	}
}

func TestStepsAreBounded(t *testing.T) {
	var all []*client.SolveStatus
	for i := range 200 {
		name := fmt.Sprintf("[build %d] RUN echo %s", i, strings.Repeat("船", 300))
		all = append(all, told(&client.Vertex{Digest: digest.FromString(name), Name: name, Started: at(i), Completed: at(i)}))
	}
	log, _ := logFor(t)
	steps, leftOut := builder.Followed(log, all, all)
	if len(steps) != 300 || leftOut != 100 {
		t.Errorf("%d steps kept, %d left out", len(steps), leftOut)
	}
	if name := steps[0].Name; len(name) > 200 || !utf8.ValidString(name) || !strings.HasSuffix(name, "船…") {
		t.Errorf("a name of %d bytes: %q", len(name), name)
	}
}

func TestReport(t *testing.T) {
	d := newDock(t)
	d.secrets = []secret.Text{"correct-horse"}
	b := d.builder(t)
	if _, err := b.Report(t.Context(), d.release); !errors.Is(err, fs.ErrNotExist) || hint.Of(err) == "" {
		t.Errorf("nothing is known yet: %v", err)
	}
	r := d.release
	r.Artifact = &release.Artifact{Repository: "reg/shop/web", Tag: builder.Tag(commit, "k"), Digest: release.Digest("sha256:" + strings.Repeat("ab", 32))}
	steps := []builder.Step{{Name: "exporting to image", Started: *at(1), Finished: *at(2), Cached: true}}
	if err := b.Remember(r, "k", "", steps); err != nil {
		t.Fatal(err)
	}
	got, err := b.Report(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got.Image != r.Artifact.Reference() || got.Failed != "" || !reflect.DeepEqual(got.Steps, steps) || len(got.Bases) != 1 || !strings.HasPrefix(string(got.Plan), `{"service"`) {
		t.Errorf("got %+v", got)
	}
	if got.RanFor != r.ID || got.Unchanged || got.Inputs[0].Value != "***" || got.Changed[0].After != "***" || got.Changed[0].Before != "hello" {
		t.Errorf("of another build than this one, or with a secret: %+v", got)
	}
	earlier := release.NewID("shop/web", release.Commit(strings.Repeat("4a", 20)))
	if err := b.Remember(r, "k", string(earlier)+"/Building/1", steps); err != nil {
		t.Fatal(err)
	}
	if got, err = b.Report(t.Context(), r); err != nil || !got.Unchanged || got.RanFor != earlier || got.Changed != nil || len(got.Steps) != 1 {
		t.Errorf("what was proved unchanged tells of the build that ran: %+v, %v", got, err)
	}
}

func FuzzStepNames(f *testing.F) {
	f.Add("[linux/amd64 build 2/4] COPY . .")
	f.Add("[linux/amd64->arm/v7 1/1] FROM x@sha256:" + strings.Repeat("0", 64))
	f.Add("\xff\n[船]")
	f.Fuzz(func(t *testing.T, name string) {
		log, _ := logFor(t)
		steps, _ := builder.Followed(log, []*client.SolveStatus{told(&client.Vertex{Digest: "x", Name: name, Started: at(0)})})
		if len(steps) != 1 || len(steps[0].Name) > 200 || strings.Contains(steps[0].Name, "\n") || !utf8.ValidString(steps[0].Name) {
			t.Errorf("got %+v", steps)
		}
	})
}
