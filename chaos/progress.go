package chaos

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/release"
)

// Report is how far one experiment has come.
type Report struct {
	State   string // "Planned", "Injecting", "Measuring" or "Reverting"; empty once ended
	Ended   bool
	Aborted bool
	Live    bool // its fault may be active
	Ready   bool // the intent is saved: the next step breaks something
	Judging bool // the fault is gone and the service whole: the next step judges
}

// Progress reads a trial's current experiment.
func Progress(t release.Trial) Report {
	r := Report{State: state(t.Step), Ended: t.Step == stepEnded, Live: live(t), Ready: t.Step == stepPlanned, Judging: t.Step == stepJudging}
	for _, ev := range evidence.About(t.Evidence, evidence.Aborted) {
		r.Aborted = r.Aborted || ev.Facts["attempt"] == attempt(t)
	}
	return r
}

// state is a step as people know it.
func state(step string) string {
	switch step {
	case stepEnded:
		return ""
	case "", stepSteady:
		return "Planned"
	case stepPlanned, stepInjecting:
		return "Injecting"
	case stepMeasuring:
		return "Measuring"
	}
	return "Reverting"
}

// Stopped says why nothing may be broken: the kill switch, a file whose existence is enough.
func Stopped(path string) string {
	if path == "" {
		return ""
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	on := "the kill switch is on (" + path + ")"
	if err != nil {
		return on
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, maxStopText)) // whatever it says, or nothing: it is there
	if said := strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "?")), " "); said != "" {
		on += ": " + said
	}
	return on
}

const maxStopText = 500 // bytes of what a kill switch says

// Resume is the trial to go on with: a new one, or one that had ended and is tried again
// by a person.
func Resume(saved *release.Trial) release.Trial {
	if saved == nil {
		return release.Trial{Attempt: 1}
	}
	t := clone(*saved)
	if t.Step == stepEnded {
		t.Step, t.Attempt = "", t.Attempt+1
	}
	return t
}

// Follow begins the next experiment of a trial, after one has passed.
func Follow(t release.Trial, index int, experiment string) release.Trial {
	t.Experiment, t.Step, t.Fault, t.Beside = index, "", nil, nil
	t.Attempt = evidence.Attempts(t.Evidence, experiment) + 1
	return t
}
