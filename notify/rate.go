package notify

import "time"

// rate allows so many messages in any span of time of that length. It counts when a
// message has been answered, not when it was sent: the other side's clock runs later
// than ours, and a bucket that refills would allow twice the burst.
type rate struct {
	limit int
	span  time.Duration
	done  []time.Time // of the last limit messages, oldest first
}

// free is how many messages may be sent now.
func (r *rate) free(now time.Time) int {
	for len(r.done) > 0 && now.Sub(r.done[0]) >= r.span {
		r.done = r.done[1:]
	}
	return r.limit - len(r.done)
}

// used notes an answered message.
func (r *rate) used(now time.Time) { r.done = append(r.done, now) }
