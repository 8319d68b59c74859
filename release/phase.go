package release

import "fmt"

// Phase is where a release stands on its journey.
type Phase int

// The phases in the order of the journey; see pipeline.Journey for the arrows.
const (
	Unknown Phase = iota
	Building
	Signing
	Checking
	Approving
	Deploying
	Trying // its sea trial: SLOs measured without and with a fault
	Verified
	Done
	RollingBack
	RolledBack
	Failed
	Held
	Superseded
	endOfPhases
)

var phaseNames = [...]string{"Unknown", "Building", "Signing", "Checking", "Approving", "Deploying",
	"Trial", "Verified", "Done", "RollingBack", "RolledBack", "Failed", "Held", "Superseded"}

// Phases lists every phase but Unknown.
func Phases() []Phase {
	all := make([]Phase, 0, endOfPhases)
	for p := Building; p < endOfPhases; p++ {
		all = append(all, p)
	}
	return all
}

// String is the word people read.
func (p Phase) String() string {
	if p < 0 || p >= endOfPhases {
		return phaseNames[Unknown]
	}
	return phaseNames[p]
}

// ParsePhase reads what String writes.
func ParsePhase(s string) (Phase, error) {
	for i, name := range phaseNames {
		if name == s {
			return Phase(i), nil
		}
	}
	return Unknown, fmt.Errorf("phase %q is none of %v", s, phaseNames[1:])
}

// MarshalText writes the word.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the word.
func (p *Phase) UnmarshalText(b []byte) (err error) { *p, err = ParsePhase(string(b)); return err }

// Final reports whether the journey has ended; a person may still start it again.
func (p Phase) Final() bool {
	switch p {
	case Done, RolledBack, Failed, Held, Superseded:
		return true
	}
	return false
}

// Step is what Deploying does with one wave.
type Step int

// The steps of a wave, in order.
const (
	NoStep     Step = iota
	StepSync        // desired state committed and applied to the wave's targets
	StepHealth      // every target healthy at this revision
	StepSLO         // the wave's SLOs hold
	endOfSteps
)

var stepNames = [...]string{"", "sync", "health", "slo"}

// String is the word people read; NoStep is empty.
func (s Step) String() string {
	if s < 0 || s >= endOfSteps {
		return ""
	}
	return stepNames[s]
}

// MarshalText writes the word.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Step) UnmarshalText(b []byte) error {
	for i, name := range stepNames {
		if name == string(b) {
			*s = Step(i)
			return nil
		}
	}
	return fmt.Errorf("step %q is none of %v", b, stepNames[1:])
}
