// Package hint gives an error its next step: what the person who meets it can do now.
//
// Start at Add. A hint never changes what Error says, so errors stay comparable in logs;
// the command line and the web print "error:" and then "hint:".
package hint

// Hinted is an error that knows the next step.
type Hinted struct {
	err  error
	hint string
}

// Add gives err a next step. A nil error stays nil, an empty hint adds nothing.
func Add(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return &Hinted{err: err, hint: hint}
}

// Of is the innermost hint of err, since whoever stood nearest to the cause knew it
// best. Of joined errors it is the first one's that has any.
func Of(err error) string {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if h := Of(one); h != "" {
				return h
			}
		}
	case interface{ Unwrap() error }:
		if h := Of(e.Unwrap()); h != "" {
			return h
		}
	}
	if h, ok := err.(interface{ Hint() string }); ok {
		return h.Hint()
	}
	return ""
}

// Error is the text of the error without the hint.
func (h *Hinted) Error() string { return h.err.Error() }

// Hint is the next step.
func (h *Hinted) Hint() string { return h.hint }

// Unwrap is the error the hint was added to.
func (h *Hinted) Unwrap() error { return h.err }
