package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"html"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/report"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/chaos/twobytwo"
	"github.com/seatrial/seatrial/release"
)

var update = flag.Bool("update", false, "write what is made into testdata")

// trusting is the outcome that the evidence says, for records whose samples are made up.
func trusting(ev release.Evidence) (release.Outcome, error) {
	for _, o := range []release.Outcome{release.Passed, release.Waiting, release.Refused, release.Undetermined} {
		if o.String() == ev.Facts["outcome"] {
			return o, nil
		}
	}
	return release.NoOutcome, errors.New("no outcome")
}

var began = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }

func ptr(f float64) *float64 { return &f }

func facts(about string, more ...string) map[string]string {
	m := map[string]string{"experiment": "nightly-delay", "attempt": "2", "about": about}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func cell(about string, from, to, share float64, good, total, outcome string) release.Evidence {
	wayGood := release.Query{Name: "way good", Expr: "sum(increase(requests_total{code!~\"5..\"}[7500ms]))", At: at(to)}
	wayTotal := release.Query{Name: "way total", Expr: "sum(increase(requests_total[7500ms]))", At: at(to)}
	for i, part := range []float64{0.4, 1, 1.6, 1, 0} { // of the failures, in a quarter that slides along
		when := at(from + (to-from)*(0.25+0.75*float64(i)/4))
		wayGood.Samples = append(wayGood.Samples, release.Sample{Time: when, Value: 250 * (1 - (1-share)*part)})
		wayTotal.Samples = append(wayTotal.Samples, release.Sample{Time: when, Value: 250})
	}
	wayTotal.Samples[4].Value, wayGood.Samples[4].Value = 0, 0 // no events are no share
	return release.Evidence{Gate: "slo", Claim: "availability of pay/payment on staging is at least 99 %", Holds: outcome == "Pass", Cluster: "staging", Revision: "439b2ebd5049e523dff6c8298b71f0b6c96e7040",
		From: at(from), To: at(to), Detail: good + " of " + total, Measured: &share, Threshold: ptr(0.99),
		Facts: facts(about, "slo", "pay-payment", "title", "availability", "outcome", outcome, "good", good, "total", total, "minSamples", "4"),
		Queries: []release.Query{{Name: "total", Expr: "sum(increase(requests_total[30s]))", At: at(to), Samples: []release.Sample{{Time: at(to), Value: 1000}}},
			{Name: "pieces", Expr: "sum(increase(requests_total[7500ms]))", At: at(to), Samples: []release.Sample{
				{Time: at(to - (to-from)/2), Value: 300}, {Time: at(to), Value: 700}}}, wayGood, wayTotal}}
}

// failed is a run whose fault was a bad one: 5 % of the requests failed.
func failed() schedule.Run {
	f := &release.FaultRecord{Experiment: "nightly-delay", Kind: "NetworkChaos", Action: "delay", Name: "seatrial-nightly-delay-1", Namespace: "pay", Cluster: "staging",
		Targets: []string{"pay/etcd-0", "pay/etcd-1"}, With: map[string]any{"latency": "500ms"}, Created: at(40), Injected: at(40.5), Recovered: at(73)}
	all := []release.Evidence{
		{Gate: "trial", Claim: "an attempt that came to nothing", Facts: map[string]string{"experiment": "nightly-delay", "attempt": "1", "about": "baseline", "slo": "pay-payment"}},
		cell("baseline", 0, 30, 0.999, "999", "1000", "Pass"),
		{Gate: "trial", Claim: "3 of 3 pods are ready and 2 of them may be hit", Holds: true, Facts: facts("targets")},
		{Gate: "trial", Claim: "NetworkChaos delay was injected", Holds: true, Cluster: "staging", From: at(40), To: at(40.5), Fault: f, Facts: facts("injected")},
		{Gate: "trial", Claim: "NetworkChaos delay is gone", Holds: true, From: at(70.5), To: at(71.2), Fault: f, Facts: facts("reverted")},
		{Gate: "trial", Claim: "every pod is ready again", Holds: true, From: at(71.2), To: at(76), Measured: ptr(1.8), Fault: f, Facts: facts("recovered")},
		cell("fault", 40.5, 70.5, 0.95, "950", "1000", "Refuse"),
	}
	compared := twobytwo.Record(all[6], twobytwo.Table{Verified: twobytwo.Side{Without: release.Ratio{Good: 998, Total: 1000}, Under: release.Ratio{Good: 992, Total: 1000}},
		Candidate: twobytwo.Side{Without: release.Ratio{Good: 999, Total: 1000}, Under: release.Ratio{Good: 950, Total: 1000}}}, release.CompareSpec{Worse: release.WorseRefuse, Tolerance: 0.5})
	for k, v := range facts("compared") {
		compared.Facts[k] = v
	}
	all = append(all, compared)
	v := release.Refuse("availability fell to 95 % while NetworkChaos delay was active", "the fault is reverted; the samples with and without it are in the evidence")
	return schedule.Run{ID: "20261123T020000Z.nightly-delay.staging", Experiment: "nightly-delay", Service: "pay/payment", Env: "staging", Cluster: "staging", Trigger: "schedule", By: "seatrial",
		State: schedule.Failed, Started: began, Ended: at(77), Verdict: &v, Message: v.Reason(), Trial: &release.Trial{Step: "ended", Attempt: 2, Evidence: all, Score: ptr(0)}}
}

type writer interface {
	Write(w io.Writer, format string, in report.Language) error
}

func written(t *testing.T, w writer, format string) string {
	t.Helper()
	return writtenIn(t, w, format, report.English)
}

func writtenIn(t *testing.T, w writer, format string, in report.Language) string {
	t.Helper()
	var b bytes.Buffer
	if err := w.Write(&b, format, in); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
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
		t.Errorf("%s is not what is made now; look at the difference, then: go test ./chaos/report -update", file)
	}
}

func TestAPageSaysWhatItAlwaysSaid(t *testing.T) {
	endings := map[string]string{report.HTML: "html", report.Markdown: "md", report.JSON: "json"}
	for _, f := range report.Formats() {
		golden(t, "run."+endings[f], written(t, report.OfRun(failed(), trusting), f))
		golden(t, "summary."+endings[f], written(t, week(), f))
		if f != report.JSON {
			golden(t, "run.zh."+endings[f], writtenIn(t, report.OfRun(failed(), trusting), f, report.Chinese))
			golden(t, "summary.zh."+endings[f], writtenIn(t, week(), f, report.Chinese))
		} else if written(t, week(), f) != writtenIn(t, week(), f, report.Chinese) {
			t.Error("JSON depends on the language")
		}
	}
}

func TestTheLineThroughAWindowIsTheWayItCameAbout(t *testing.T) {
	under := report.OfRun(failed(), trusting).Experiments[0].SLOs[0].Under
	var shares []float64
	for _, s := range under.Way {
		shares = append(shares, math.Round(1000*s.Share)/1000)
	}
	if !slices.Equal(shares, []float64{0.98, 0.95, 0.92, 0.95}) || !under.Way[0].At.Equal(at(48)) {
		t.Errorf("%+v", under.Way)
	}
	if len(under.Asked) != 2 {
		t.Errorf("many moments are told as one sum: %+v", under.Asked)
	}
	bad := failed()
	ev := &bad.Trial.Evidence[6]
	for i := range ev.Queries {
		if ev.Queries[i].Name == "way good" {
			ev.Queries[i].Name, ev.Queries[i].Samples = "way bad", nil // none ever failed
		}
	}
	if way := report.OfRun(bad, trusting).Experiments[0].SLOs[0].Under.Way; len(way) != 4 || way[0].Share != 1 {
		t.Errorf("without a series of failures: %+v", way)
	}
}

func TestAReportReadAgainIsTheSameReport(t *testing.T) {
	r := report.OfRun(failed(), trusting)
	again, err := report.Read([]byte(written(t, r, report.JSON)), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Formats() {
		if written(t, again, f) != written(t, r, f) {
			t.Errorf("as %s it is another", f)
		}
	}
	record, err := json.Marshal(failed())
	if err != nil {
		t.Fatal(err)
	}
	if again, err = report.Read(record, "", trusting); err != nil || written(t, again, report.JSON) != written(t, r, report.JSON) {
		t.Errorf("of the stored run: %v", err)
	}
}

// What was broken beside the candidate is in the record, and is not the candidate's.
func TestWhatWasBrokenBesideItIsNotItsOwn(t *testing.T) {
	run := failed()
	want := written(t, report.OfRun(run, trusting), report.JSON)
	other := release.FaultRecord{Experiment: "nightly-delay", Kind: "NetworkChaos", Action: "delay", Name: "seatrial-nightly-delay-2", Namespace: "pay", Cluster: "prod-main", Targets: []string{"pay/etcd-9"}, Injected: at(40)}
	for _, about := range []string{"injected", "fault", "recovered"} {
		run.Trial.Evidence = append(run.Trial.Evidence, release.Evidence{Gate: "trial", Cluster: "prod-main", Holds: true, Fault: &other, Facts: facts("verified." + about)})
	}
	if got := written(t, report.OfRun(run, trusting), report.JSON); got != want {
		t.Errorf("it is another report:\n%s", got)
	}
}

func TestWhatWasNotMeasuredIsSaid(t *testing.T) {
	has := func(list []string, what string) bool { return strings.Contains(strings.Join(list, "\n"), what) }
	drop := func(about string) schedule.Run {
		r := failed()
		var kept []release.Evidence
		for _, ev := range r.Trial.Evidence {
			if ev.Facts["about"] != about {
				kept = append(kept, ev)
			}
		}
		r.Trial.Evidence = kept
		return r
	}
	for about, want := range map[string]string{"baseline": "availability without the fault", "fault": "availability under the fault", "recovered": "the recovery"} {
		x := report.OfRun(drop(about), trusting).Experiments[0]
		if !has(x.NotMeasured, want) {
			t.Errorf("without %s: %q", about, x.NotMeasured)
		}
	}
	if x := report.OfRun(failed(), trusting).Experiments[0]; len(x.NotMeasured) != 0 || x.Attempt != 2 {
		t.Errorf("all was measured: %q, attempt %d", x.NotMeasured, x.Attempt)
	}
	alone := drop("compared")
	if x := report.OfRun(alone, trusting).Experiments[0]; len(x.NotMeasured) != 0 {
		t.Errorf("nobody compares a run: %q", x.NotMeasured)
	}
	r, err := report.OfTrial(release.Release{Stages: []release.Stage{{Env: "staging", Trial: alone.Trial}}}, "staging", trusting)
	if err != nil || !has(r.Experiments[0].NotMeasured, "the comparison") {
		t.Errorf("of a release it is wanted: %v %q", err, r.Experiments[0].NotMeasured)
	}
	skipped := schedule.Run{ID: "1", State: schedule.Invalid, Message: "skipped: release shop.web.1 is in staging", Started: began, Ended: began}
	r = report.OfRun(skipped, trusting)
	if !has(r.NotMeasured, "nothing was recorded") || !has(r.NotMeasured, "skipped: release") || r.Recorded.Outcome != "" {
		t.Errorf("a run that was skipped: %+v", r)
	}
	if page := written(t, r, report.HTML); !strings.Contains(page, "no verdict is recorded") {
		t.Error("its page does not say that it has no verdict")
	}
	running := failed()
	running.Ended, running.Verdict = time.Time{}, nil
	if r := report.OfRun(running, trusting); !has(r.NotMeasured, "had not ended") {
		t.Errorf("a run that goes on: %q", r.NotMeasured)
	}
}

func TestRecoveryIsToldAsExactlyAsPodsTellIt(t *testing.T) {
	x := report.OfRun(failed(), trusting).Experiments[0]
	if x.Recovery.AtLeast != 1.8 || x.Recovery.Below != 2.8 || x.Recovery.Text(report.English) != "recovered after 1.8 to 2.8 s (pods tell whole seconds)" {
		t.Errorf("%+v", x.Recovery)
	}
	never := failed()
	for i, ev := range never.Trial.Evidence {
		if ev.Facts["about"] == "recovered" {
			ev.Holds, ev.Measured, ev.Threshold, ev.Detail = false, nil, ptr(120), "1 of 3 pods is not ready"
			never.Trial.Evidence[i] = ev
		}
	}
	if got := report.OfRun(never, trusting).Experiments[0].Recovery.Text(report.English); got != "not recovered within 120 s: 1 of 3 pods is not ready" {
		t.Error(got)
	}
}

func TestTheTwoByTwoIsShownWithItsConfidence(t *testing.T) {
	c := report.OfRun(failed(), trusting).Experiments[0].Compared[0]
	if c.Holds || c.Table == nil || *c.Table.VerifiedUnder != 0.992 || *c.Table.CandidateWithout != 0.999 || c.Extra == nil || c.Extra.By > -0.042 || c.Extra.By < -0.044 || c.Extra.Low > c.Extra.By || c.Extra.High < c.Extra.By || c.Extra.Confidence < 0.99 {
		t.Errorf("%+v %+v %+v", c, c.Table, c.Extra)
	}
	rings := failed()
	rings.Trial.Evidence[7].Facts["beside"] = "eu-2"
	if page := written(t, report.OfRun(rings, trusting), report.HTML); !strings.Contains(page, "at the same time on eu-2") {
		t.Error("the page does not say that both were tried at the same time")
	}
	few := failed()
	few.Trial.Evidence[7].Facts["verified.under"] = "9/10"
	if c := report.OfRun(few, trusting).Experiments[0].Compared[0]; c.Table == nil || c.Extra != nil {
		t.Errorf("ten events tell a difference: %+v", c)
	}
	other := failed()
	ev := twobytwo.Other(other.Trial.Evidence[6], "PodChaos pod-kill of 2", "NetworkChaos delay of 2")
	for k, v := range facts("compared") {
		ev.Facts[k] = v
	}
	other.Trial.Evidence[7] = ev
	if c := report.OfRun(other, trusting).Experiments[0].Compared[0]; c.Table != nil || !strings.Contains(c.Text(report.English), "another fault: PodChaos pod-kill of 2") {
		t.Errorf("another fault is compared: %+v", c)
	}
}

func TestAVerdictThatTheSamplesDoNotBearOutIsSaid(t *testing.T) {
	r := failed()
	v := release.Pass().Because("all is well")
	r.Verdict = &v
	got := report.OfRun(r, trusting)
	if got.Agrees || got.Replayed.Outcome != "Refuse" || got.Recorded.Outcome != "Pass" {
		t.Errorf("%+v", got)
	}
	if text := written(t, got, report.Markdown); !strings.Contains(text, "it is Refuse: availability fell") {
		t.Errorf("not said: %s", text)
	}
}

// hostile are texts that would do harm if they were taken for more than text.
var hostile = []string{
	`</title><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</style><script>alert(1)</script>`, `[click](javascript:alert(1))`, "a\n\n# Verdict: Pass\n\n| x | y |",
	"![x](http://evil.example/x.png)", "`code` **bold** <b>tag</b>", "@everyone http://evil.example www.evil.example", "\u202egnp.exe", "{{.}}", "1. first", "- item", "javascript:alert(1)", "' onload='alert(1)",
}

func TestHostileTextIsOnlyText(t *testing.T) {
	for _, bad := range hostile {
		r := failed()
		r.ID, r.By, r.State, r.Service, r.Env, r.Experiment = bad, bad, bad, release.Service(bad), release.Env(bad), bad
		v := release.Refuse(bad, bad)
		r.Verdict, r.Message = &v, bad
		for i, ev := range r.Trial.Evidence {
			ev.Claim, ev.Detail, ev.Cluster, ev.Revision = bad, bad, bad, release.Commit(bad)
			ev.Facts["experiment"], ev.Facts["title"], ev.Facts["slo"] = bad, bad, bad
			for j := range ev.Queries {
				ev.Queries[j].Expr, ev.Queries[j].Warnings = bad, []string{bad}
			}
			if ev.Fault != nil {
				f := *ev.Fault
				f.Kind, f.Action, f.Name, f.Targets, f.With = bad, bad, bad, []string{bad}, map[string]any{bad: bad}
				ev.Fault = &f
			}
			r.Trial.Evidence[i] = ev
		}
		harmless(t, bad, report.OfRun(r, trusting))
		r.Ended, r.State = at(77), schedule.Failed
		harmless(t, bad, report.Summarise([]schedule.Run{r}, began, at(100), nil))
	}
}

// What a page is made of; nothing else may come into it, whatever the texts say.
var (
	elements   = strings.Fields("html head meta title style body main h1 h2 h3 p ul li table thead tbody tr th td div section figure figcaption svg rect text line polyline code br")
	attributes = strings.Fields("lang tabindex charset name content http-equiv class scope viewBox role aria-label x y width height x1 x2 y1 y2 points text-anchor")
	loud       = regexp.MustCompile(`(^|[^\\])(\[[^\]]*\]\(|<[a-zA-Z/]|` + "`" + `)`)
)

func harmless(t *testing.T, bad string, w writer) {
	t.Helper()
	page := written(t, w, report.HTML)
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%q breaks the page: %v", bad, err)
		}
		e, ok := token.(xml.StartElement)
		if ok && !slices.Contains(elements, e.Name.Local) {
			t.Errorf("%q puts <%s> into the page", bad, e.Name.Local)
		}
		for _, attr := range e.Attr {
			if !slices.Contains(attributes, attr.Name.Local) {
				t.Errorf("%q puts the attribute %s into <%s>", bad, attr.Name.Local, e.Name.Local)
			}
		}
	}
	text := written(t, w, report.Markdown)
	if m := loud.FindString(text); m != "" {
		t.Errorf("%q means %q in Markdown", bad, m)
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "# Verdict") || strings.Contains(line, "http://") || strings.Contains(line, "www.") || strings.Contains(line, "@everyone") {
			t.Errorf("%q becomes the line %q", bad, line)
		}
	}
	for _, all := range []string{page, text, written(t, w, report.JSON)} {
		if strings.ContainsRune(all, '\u202e') {
			t.Errorf("%q turns the direction of reading", bad)
		}
	}
}

func TestAPageCarriesNothingButItsOneStyle(t *testing.T) {
	page := written(t, report.OfRun(failed(), trusting), report.HTML)
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if hash := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); hash != report.StyleHash() || !strings.Contains(html.UnescapeString(page), "style-src '"+hash+"'") {
		t.Errorf("the style's hash is %s, the policy allows %s", hash, report.StyleHash())
	}
	for _, not := range []string{"<script", "style=", "url(", "@import", "http:", "https:"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	for _, has := range []string{"prefers-color-scheme:dark", "@media print", `class="fault"`, "fault active", `class="objective"`, `role="img"`} {
		if !strings.Contains(page, has) {
			t.Errorf("the page lacks %q", has)
		}
	}
}

func TestAFaultThatStrikesOnceIsNotCalledActive(t *testing.T) {
	r := failed()
	for i, ev := range r.Trial.Evidence {
		if ev.Fault != nil {
			f := *ev.Fault
			f.Kind, f.Action = "PodChaos", "pod-kill"
			r.Trial.Evidence[i].Fault = &f
		}
	}
	page := written(t, report.OfRun(r, trusting), report.HTML)
	if strings.Contains(page, "fault active") || !strings.Contains(page, "from the fault to its removal") || !strings.Contains(page, "or more after PodChaos pod-kill") {
		t.Error("a killed pod is shown as a fault that lasts")
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	if err := report.OfRun(failed(), trusting).Write(io.Discard, "pdf", report.English); err == nil || !strings.Contains(err.Error(), "html, json, markdown") {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	data, err := json.Marshal(failed())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":"seatrial.dev/report/v1","experiments":[{"slos":[{"without":{"share":2}}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := report.Read(data, "", trusting)
		if err != nil {
			return
		}
		for _, format := range report.Formats() {
			if err := r.Write(io.Discard, format, report.Chinese); err != nil {
				t.Fatal(err)
			}
		}
	})
}
