package chaos

import (
	"errors"
	"io/fs"
	"os"

	"github.com/seatrial/seatrial/release"
)

// Report is how far one experiment has come.
type Report struct {
	State   string // "Planned", "Injecting", "Measuring" or "Reverting"; empty once ended
	Ended   bool
	Aborted bool
	Live    bool // its fault may be active
}

// Progress reads a trial's current experiment.
func Progress(t release.Trial) Report {
	r := Report{State: state(t.Step), Ended: t.Step == stepEnded, Live: live(t)}
	for _, ev := range about(t.Evidence, aboutAborted) {
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
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return "the kill switch is on (" + path + ")"
	}
	return ""
}
