package reports

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/report"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/cmd/seatrial/replay"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/reports"
)

var update = flag.Bool("update", false, "write examples/reports")

// recorded is a release as a server on the lab wrote it.
const recorded = "../replay/testdata/release.json"

func command(t *testing.T, in io.Reader, args ...string) (string, error) {
	t.Helper()
	cmd := New(&client.Remote{}, replay.New())
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(in)
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestTheExampleReportIsWhatIsWrittenNow(t *testing.T) {
	for format, ending := range map[string]string{report.HTML: "html", report.Markdown: "md", report.JSON: "json"} {
		got, err := command(t, nil, "report", recorded, "-o", format)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("../../../examples/reports", "trial."+ending)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not what is written now; look at the difference, then: go test ./cmd/seatrial/reports -update", file)
		}
	}
}

func TestAReportHasTheVerdictThatAReplayComesTo(t *testing.T) {
	data, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	said, err := command(t, nil, "replay", recorded)
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Read(data, "", slo.Rejudge)
	if err != nil || !r.Agrees || !strings.Contains(said, "in staging: "+r.Replayed.Outcome+" (as recorded)") || !strings.Contains(said, r.Replayed.Reason) {
		t.Errorf("the report says %+v, the replay %s, %v", r.Replayed, said, err)
	}
	// Samples that were changed by hand change the verdict of both.
	var rel release.Release
	if err := json.Unmarshal(data, &rel); err != nil {
		t.Fatal(err)
	}
	for i, ev := range rel.Stages[0].Trial.Evidence {
		if ev.Facts["about"] == "fault" {
			rel.Stages[0].Trial.Evidence[i].Queries[0].Samples[0].Value = 300
		}
	}
	worse, err := json.Marshal(rel)
	if err != nil {
		t.Fatal(err)
	}
	r, err = report.Read(worse, "", slo.Rejudge)
	said, replayErr := command(t, bytes.NewReader(worse), "replay", "-")
	if err != nil || replayErr == nil || r.Agrees || r.Replayed.Outcome != "Refuse" || r.Recorded.Outcome != "Pass" || !strings.Contains(said, "in staging: Refuse") {
		t.Errorf("the report says %+v, the replay %s, %v %v", r.Replayed, said, err, replayErr)
	}
}

func TestAReportOfWhatIsNoRecordSaysWhatToDo(t *testing.T) {
	for name, in := range map[string]string{"no JSON": "x", "a release as lists have it": `{"id":"shop.web.1","stages":[{"env":"staging"}]}`} {
		if _, err := command(t, strings.NewReader(in), "report", "-"); err == nil || !strings.Contains(hint.Of(err), "release show ID") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := command(t, nil, "report", recorded, "--env", "prod"); err == nil || !strings.Contains(err.Error(), "in prod: no trial") {
		t.Errorf("an environment without a trial: %v", err)
	}
	if _, err := command(t, nil, "report", recorded, "-o", "pdf"); err == nil || !strings.Contains(err.Error(), "want html, json, markdown") {
		t.Errorf("a PDF: %v", err)
	}
}

var monday = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC) // 09:00 in Shanghai

// office is a server's store, with a clock that is set by hand.
type office struct {
	kv   store.KV
	book *store.Book
	now  time.Time
}

func open(t *testing.T) *office {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &office{kv: db, book: store.NewBook(db), now: monday.Add(-48 * time.Hour)}
}

func (o *office) weekly(t *testing.T) Weekly {
	t.Helper()
	when, err := schedule.ParseSchedule(release.ScheduleSpec{Cron: "0 9 * * 1", TimeZone: "Asia/Shanghai"})
	if err != nil {
		t.Fatal(err)
	}
	x := release.Experiment{Meta: release.Meta{Name: "kill"}, Spec: release.ExperimentSpec{Service: "shop/web", Schedule: &release.ScheduleSpec{Cron: "0 2 * * *"}}}
	return Weekly{When: &when, Runs: shelf.Runs{KV: o.kv}, Notes: o.book, Tell: o.book.Tell, Now: func() time.Time { return o.now }, Log: slog.New(slog.DiscardHandler),
		Platform: func(context.Context) (chaos.Platform, error) {
			return chaos.Platform{Experiments: map[string]release.Experiment{"kill": x}}, nil
		},
		Project: func(s release.Service) string { return s.Team() }}
}

// deliver plans what waits, as the notifier does, and returns the messages that wait then.
func (o *office) deliver(t *testing.T) []notify.Message {
	t.Helper()
	box := shelf.Outbox{KV: o.kv}
	events, err := box.Events(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	channels := map[string]release.Channel{"people": {Spec: release.ChannelSpec{Type: "wecom", Events: []release.EventKind{release.EventSummary}}}}
	project := release.Project{Spec: release.ProjectSpec{Channels: []string{"people"}}}
	for _, e := range events {
		if err := box.Plan(t.Context(), e, notify.Plan(e, project, channels)); err != nil {
			t.Fatal(err)
		}
	}
	pending, err := box.Pending(t.Context(), time.Now(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return pending
}

func TestAWeekIsToldOncePerProjectAndOverRestarts(t *testing.T) {
	o := open(t)
	for i, state := range []string{schedule.Passed, schedule.Failed, schedule.Invalid} {
		at := monday.Add(-time.Duration(i+1) * time.Hour)
		run := schedule.Run{ID: at.Format("20060102T150405Z") + ".delay.staging", Experiment: "delay", Service: "pay/payment", State: state, Started: at, Ended: at.Add(time.Minute)}
		if _, err := (shelf.Runs{KV: o.kv}).Save(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	look := func(want int, when string) []notify.Message {
		t.Helper()
		if err := o.weekly(t).look(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := o.deliver(t)
		if len(got) != want {
			t.Fatalf("%s: %d messages, want %d", when, len(got), want)
		}
		return got
	}
	look(0, "at the first start")
	o.now = monday.Add(-time.Second)
	look(0, "before its time")
	o.now = monday.Add(3 * time.Hour) // the server was away at nine
	got := look(2, "after its time")
	for _, m := range got {
		e := m.Event
		want := map[string]string{"pay": "pay, 7 days to 2026-11-23: 3 runs: 1 passed, 1 failed, 1 invalid, 0 aborted; 50.0 % failed", "shop": "shop, 7 days to 2026-11-23: no run ended in this time"}[e.Project]
		if e.Kind != release.EventSummary || want == "" || !strings.HasPrefix(e.Subject, want) {
			t.Errorf("%+v", e)
		}
	}
	look(2, "when asked again, by a new process")
	// The process died between telling and noting that it had.
	var note told
	version, err := o.book.Get(t.Context(), noteKey, &note)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.book.Put(t.Context(), noteKey, told{monday.Add(-time.Hour)}, version); err != nil {
		t.Fatal(err)
	}
	look(2, "told again after a crash")
	o.now = monday.Add(2*week + time.Hour)
	look(3, "two weeks later, of which the latest is made up for; pay has nothing to be told of")
}

func TestWhatCannotBeReadIsToldLater(t *testing.T) {
	o := open(t)
	w := o.weekly(t)
	if err := w.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.now = monday
	w.Platform = func(context.Context) (chaos.Platform, error) { return chaos.Platform{}, errors.New("not yet") }
	if err := w.look(t.Context()); err == nil || len(o.deliver(t)) != 0 {
		t.Errorf("told without the platform: %v", err)
	}
	if err := o.weekly(t).look(t.Context()); err != nil || len(o.deliver(t)) != 1 {
		t.Errorf("not told later: %v", err)
	}
	if err := (Weekly{}).Run(t.Context()); err != nil {
		t.Errorf("without the setting: %v", err)
	}
}

func TestTheDeskAnswersFromTheStore(t *testing.T) {
	o := open(t)
	d := Desk{Release: o.book.Release, Runs: shelf.Runs{KV: o.kv}, Now: func() time.Time { return monday }}
	if _, err := d.Run(t.Context(), "none", reports.Form{Format: report.HTML}); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a run that is not there: %v", err)
	}
	if _, err := d.Trial(t.Context(), "shop.web.1", "", reports.Form{Format: report.HTML}); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a release that is not there: %v", err)
	}
	run := schedule.Run{ID: "20261122T020000Z.kill.staging", Experiment: "kill", Service: "shop/web", Trigger: "person", State: schedule.Invalid, Message: "skipped: busy", Started: monday.Add(-time.Hour), Ended: monday.Add(-time.Hour)}
	if _, err := d.Runs.(shelf.Runs).Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	doc, err := d.Run(t.Context(), run.ID, reports.Form{Format: report.HTML})
	if err != nil || doc.Style != report.StyleHash() || !bytes.Contains(doc.Body, []byte("skipped: busy")) {
		t.Errorf("%v %s", err, doc.Body)
	}
	doc, err = d.Summary(t.Context(), 2*time.Hour, reports.Form{Format: report.Markdown})
	if err != nil || doc.Style != "" || !bytes.Contains(doc.Body, []byte("1 runs: 0 passed, 0 failed, 1 invalid")) {
		t.Errorf("%v %s", err, doc.Body)
	}
	if doc, err = d.Summary(t.Context(), 30*time.Minute, reports.Form{Format: report.Markdown}); err != nil || !bytes.Contains(doc.Body, []byte("no run ended")) {
		t.Errorf("%v %s", err, doc.Body)
	}
}
