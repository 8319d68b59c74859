package release

import "errors"

var (
	// ErrNotFound: nothing has that name.
	ErrNotFound = errors.New("not found")
	// ErrTooBig: it is larger than the store takes in one step.
	ErrTooBig = errors.New("too big to be saved")
	// ErrStale: somebody else changed it meanwhile; read again and decide again.
	ErrStale = errors.New("changed meanwhile")
)

// Change is what one step of the journey writes, all of it or nothing: the release, the
// slots it touches and what is worth telling. Versions that are no longer the newest
// make it ErrStale.
type Change struct {
	Release Release
	Slots   []Slot
	Events  []Event
}
