package notify

import "time"

// rates are all kept.
type rates []rate

// free is how many messages may be sent now.
func (r rates) free(now time.Time) int {
	least := 1 << 20
	for i := range r {
		least = min(least, r[i].free(now))
	}
	return least
}

// used notes an answered message.
func (r rates) used(now time.Time) {
	for i := range r {
		r[i].done = append(r[i].done, now)
	}
}

// rate allows so many messages in any span of time of that length. It counts when a
// message has been answered, not when it was sent: the other side's clock runs later
// than ours, and a bucket that refills would allow twice the burst.
type rate struct {
	limit int
	span  time.Duration
	done  []time.Time // of the last limit messages, oldest first
}

func (r *rate) free(now time.Time) int {
	for len(r.done) > 0 && now.Sub(r.done[0]) >= r.span {
		r.done = r.done[1:]
	}
	return r.limit - len(r.done)
}
