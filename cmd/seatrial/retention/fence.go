package retention

import (
	"context"
	"sync"
	"time"

	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
)

// Fence keeps a service's images from being deleted while one is built: a build may take
// over what an earlier one has pushed. Its zero value is open.
type Fence struct {
	mu       sync.Mutex              // guards what follows
	building map[release.Service]int // how many
	sweeping map[release.Service]bool
}

// Building is the action of a build, which waits while images of its service are deleted.
func (f *Fence) Building(act pipeline.Action) pipeline.Action {
	return func(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
		if !f.begin(r.Service) {
			return release.Facts{}, release.Wait("old images of "+string(r.Service)+" are being deleted", time.Second), nil
		}
		defer f.end(r.Service)
		return act(ctx, key, r)
	}
}

func (f *Fence) begin(s release.Service) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sweeping[s] {
		return false
	}
	if f.building == nil {
		f.building = map[release.Service]int{}
	}
	f.building[s]++
	return true
}

func (f *Fence) end(s release.Service) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.building[s]--; f.building[s] == 0 {
		delete(f.building, s)
	}
}

// sweep closes the fence, unless something is being built.
func (f *Fence) sweep(s release.Service) (open func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.building[s] > 0 || f.sweeping[s] {
		return nil, false
	}
	if f.sweeping == nil {
		f.sweeping = map[release.Service]bool{}
	}
	f.sweeping[s] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.sweeping, s)
	}, true
}
