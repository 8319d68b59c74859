package release

import "time"

// Silence holds messages back that a person does not want to hear for a while.
type Silence struct {
	ID       string    `json:"id"`
	Matchers []string  `json:"matchers"` // all have to hold, as those of a Route
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"` // when it was ended early: then
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	EndedBy  string    `json:"endedBy,omitempty"`
	EndedFor string    `json:"endedFor,omitempty"` // why it was ended early
	Version  Revision  `json:"-"`
}

// Active reports whether it holds messages back.
func (s Silence) Active(now time.Time) bool { return !now.Before(s.From) && now.Before(s.Until) }
