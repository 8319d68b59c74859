package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

// ErrNone: the record holds no trial that left evidence.
var ErrNone = errors.New("no trial with evidence")

// OfTrial is the report of a release's trial in an environment, or of its newest trial when
// env is empty.
func OfTrial(r release.Release, env release.Env, rejudge chaos.Rejudge) (Report, error) {
	for _, s := range slices.Backward(r.Stages) {
		if s.Trial == nil || len(evidence.Experiments(s.Trial.Evidence)) == 0 || env != "" && s.Env != env {
			continue
		}
		subject := Subject{Kind: Trial, ID: clean(string(r.ID)), Service: clean(string(r.Service)), Env: clean(string(s.Env)), Commit: clean(string(r.Commit)),
			Message: clean(r.Message), State: r.Phase.String(), Trigger: "release", By: clean(r.Author)}
		if r.Artifact != nil {
			subject.Image = clean(r.Artifact.Reference())
		}
		for _, h := range r.History {
			if h.To == release.Trying && h.Env == s.Env && subject.Started.IsZero() {
				subject.Started = h.At
			}
		}
		var recorded release.Verdict
		for _, j := range r.Verdicts {
			if j.Gate == "trial" && j.Env == s.Env {
				recorded = j.Verdict
				if j.Verdict.Outcome() != release.Waiting {
					subject.Ended = j.At
				}
			}
		}
		return of(subject, *s.Trial, recorded, rejudge), nil
	}
	where := ""
	if env != "" {
		where = " in " + string(env)
	}
	return Report{}, fmt.Errorf("release %q%s: %w", r.ID, where, ErrNone)
}

// OfRun is the report of a run outside of releases.
func OfRun(r schedule.Run, rejudge chaos.Rejudge) Report {
	s := Subject{Kind: Run, ID: clean(r.ID), Service: clean(string(r.Service)), Env: clean(string(r.Env)), State: clean(r.State),
		Trigger: clean(r.Trigger), By: clean(r.By), Started: r.Started, Ended: r.Ended}
	var t release.Trial
	if r.Trial != nil {
		t = *r.Trial
	}
	var recorded release.Verdict
	if r.Verdict != nil {
		recorded = *r.Verdict
	}
	out := of(s, t, recorded, rejudge)
	if r.Verdict == nil && r.Message != "" { // it was skipped, or could not begin
		out.NotMeasured = append(out.NotMeasured, "the run says: "+clean(r.Message))
	}
	return out
}

// Read makes a report of a stored record: a release, a run, or a report in JSON.
func Read(data []byte, env release.Env, rejudge chaos.Rejudge) (Report, error) {
	var kind struct {
		Format, Trigger string
		Stages          json.RawMessage
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return Report{}, fmt.Errorf("read the record: %w", err)
	}
	switch {
	case kind.Format == Format:
		return reread(data)
	case kind.Format != "":
		return Report{}, fmt.Errorf("read the report: format %q is not %s", clean(kind.Format), Format)
	case kind.Trigger != "":
		var r schedule.Run
		if err := json.Unmarshal(data, &r); err != nil {
			return Report{}, fmt.Errorf("read the run: %w", err)
		}
		return OfRun(r, rejudge), nil
	}
	var r release.Release
	if err := json.Unmarshal(data, &r); err != nil {
		return Report{}, fmt.Errorf("read the release: %w", err)
	}
	return OfTrial(r, env, rejudge)
}

// reread reads a report that Write wrote; it may have been changed by hand since.
func reread(data []byte) (r Report, err error) {
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		return r, fmt.Errorf("read the report: %w", err)
	}
	if data, err = json.Marshal(cleaned(doc)); err != nil {
		return r, fmt.Errorf("read the report: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read the report: %w", err)
	}
	return r, nil
}

func cleaned(doc any) any {
	switch v := doc.(type) {
	case string:
		return clean(v)
	case []any:
		for i := range v {
			v[i] = cleaned(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = cleaned(v[k])
		}
	}
	return doc
}
