package openslo

import (
	"slices"

	"github.com/seatrial/seatrial/slo/burn"
)

// Pairs are the windows that somebody is called for: the SLO's own or the usual ones of its
// period, without those of a severity that nobody wants.
func (s SLO) Pairs() []burn.Pair {
	pairs := burn.Pairs(s.Window)
	if len(s.Alerts) > 0 {
		pairs = nil
	}
	for _, a := range s.Alerts {
		p := burn.Pair{Severity: burn.Page, Long: a.Long, Short: a.Short, Rate: a.Burn}
		if a.Ticket {
			p.Severity = burn.Ticket
		}
		pairs = append(pairs, p)
	}
	return slices.DeleteFunc(pairs, func(p burn.Pair) bool {
		return s.NoPage && p.Severity == burn.Page || s.NoTicket && p.Severity == burn.Ticket
	})
}

// Channels are whom the policies of a severity tell. None: at least one of them does not
// say, and the routes of the service's team do.
func (s SLO) Channels(severity burn.Severity) []string {
	var names []string
	for _, a := range s.Alerts {
		switch {
		case a.Ticket != (severity == burn.Ticket):
		case len(a.Channels) == 0:
			return nil
		default:
			names = append(names, a.Channels...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
