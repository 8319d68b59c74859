package agent

import (
	"fmt"
	"testing"

	"github.com/seatrial/seatrial/deployer/agent/wire"
)

// told is what a server knows after the states that it was sent.
type told map[string]wire.Object

func (k told) hear(s *wire.State) {
	for _, o := range s.Objects {
		if o.Gone {
			delete(k, o.Key())
		} else {
			k[o.Key()] = o
		}
	}
}

func TestWhatGoesWhileAListIsSentIsToldToBeGone(t *testing.T) {
	table, server := newTable(), told{}
	pod := func(i int) wire.Object { return wire.Object{Kind: "Pod", Name: fmt.Sprint(i)} }
	for i := range 3 * wire.MaxBatch {
		table.put(pod(i))
	}
	table.put(goneOf(pod(1))) // before the list
	begun := table.now()
	first := table.after(0, begun)
	server.hear(first)
	if _, there := server[pod(1).Key()]; there || first.Current {
		t.Fatalf("the first part: current %v, gone pod %v", first.Current, there)
	}
	table.put(goneOf(pod(2))) // was sent
	table.put(goneOf(pod(3*wire.MaxBatch - 1)))
	for at := first; !at.Current; {
		at = table.after(at.Revision, begun)
		server.hear(at)
	}
	if len(server) != 3*wire.MaxBatch-3 {
		t.Errorf("the server knows %d objects, there are %d", len(server), 3*wire.MaxBatch-3)
	}
}
