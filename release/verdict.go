package release

import (
	"encoding/json"
	"fmt"
	"time"
)

// Outcome is the one word of a verdict.
type Outcome int

// What a gate can say. "Could not ask" is not among them: that is an error, which is
// tried again and never promotes.
const (
	NoOutcome    Outcome = iota
	Passed               // go on
	Waiting              // ask again later
	Refused              // stop, and undo what is live
	Undetermined         // a person has to look
	endOfOutcomes
)

var outcomeNames = [...]string{"Unknown", "Pass", "Wait", "Refuse", "Inconclusive"}

// String is the word people read.
func (o Outcome) String() string {
	if o < 0 || o >= endOfOutcomes {
		return outcomeNames[NoOutcome]
	}
	return outcomeNames[o]
}

// Verdict is a gate's answer. It cannot contradict itself: only Pass, Wait, Refuse and
// Inconclusive make one, and the zero value passes nothing.
type Verdict struct {
	outcome  Outcome
	code     string
	reason   string
	hint     string
	after    time.Duration
	evidence []Evidence
}

// Pass lets the release go on.
func Pass(evidence ...Evidence) Verdict {
	return Verdict{outcome: Passed, evidence: evidence}
}

// Wait asks to be asked again after the given time.
func Wait(reason string, after time.Duration) Verdict {
	return Verdict{outcome: Waiting, reason: reason, after: after}
}

// Refuse stops the release; hint is the next step for a person.
func Refuse(reason, hint string) Verdict {
	return Verdict{outcome: Refused, reason: reason, hint: hint}
}

// Inconclusive holds the release until a person has looked.
func Inconclusive(reason, hint string) Verdict {
	return Verdict{outcome: Undetermined, reason: reason, hint: hint}
}

// With returns the verdict with more evidence.
func (v Verdict) With(evidence ...Evidence) Verdict {
	v.evidence = append(v.evidence[:len(v.evidence):len(v.evidence)], evidence...)
	return v
}

// Because returns the verdict with a reason; a Pass may say why, too.
func (v Verdict) Because(reason string) Verdict { v.reason = reason; return v }

// Advise returns the verdict with the next step for a person; a Wait may have one, too.
func (v Verdict) Advise(hint string) Verdict { v.hint = hint; return v }

// Coded returns the verdict with its reason in one word, for programs.
func (v Verdict) Coded(code string) Verdict { v.code = code; return v }

// Code is the reason in one word; it may be empty.
func (v Verdict) Code() string { return v.code }

// Outcome is the one word of the verdict.
func (v Verdict) Outcome() Outcome { return v.outcome }

// Reason says why, in words a person understands.
func (v Verdict) Reason() string { return v.reason }

// Hint is the next step for a person; it may be empty.
func (v Verdict) Hint() string { return v.hint }

// After is when to ask again; it has a meaning for Wait only.
func (v Verdict) After() time.Duration { return v.after }

// Evidence is what the verdict rests on.
func (v Verdict) Evidence() []Evidence { return v.evidence }

type verdictJSON struct {
	Outcome  string     `json:"outcome"`
	Code     string     `json:"code,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Hint     string     `json:"hint,omitempty"`
	After    string     `json:"after,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// MarshalJSON writes {"outcome","code","reason","hint","after","evidence"}.
func (v Verdict) MarshalJSON() ([]byte, error) {
	out := verdictJSON{Outcome: v.outcome.String(), Code: v.code, Reason: v.reason, Hint: v.hint, Evidence: v.evidence}
	if v.outcome == Waiting {
		out.After = v.after.String()
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *Verdict) UnmarshalJSON(b []byte) error {
	var in verdictJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*v = Verdict{code: in.Code, reason: in.Reason, hint: in.Hint, evidence: in.Evidence}
	for i, name := range outcomeNames {
		if name == in.Outcome {
			v.outcome = Outcome(i)
		}
	}
	if in.After == "" {
		return nil
	}
	after, err := time.ParseDuration(in.After)
	if err != nil {
		return fmt.Errorf("verdict: after: %w", err)
	}
	v.after = after
	return nil
}
