package daemons

import (
	"testing"
	"time"
)

func TestTheBestBuildkitdComesFirst(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	first := func(change func(a, b *worker), wanted ...string) string {
		p := New([]string{"tcp://a:1234", "tcp://b:1234"})
		change(p.workers[0], p.workers[1])
		return p.order(wanted, "shop/web", now)[0].address
	}
	home := first(func(_, _ *worker) {})
	other := map[string]string{"tcp://a:1234": "tcp://b:1234", "tcp://b:1234": "tcp://a:1234"}[home]
	pick := func(a, b *worker, address string) *worker {
		if a.address == address {
			return a
		}
		return b
	}
	tests := []struct {
		name   string
		change func(a, b *worker)
		wanted []string
		want   string
	}{
		{"the same service goes where its caches are", func(_, _ *worker) {}, nil, home},
		{"one more build there is worth the caches", func(a, b *worker) { pick(a, b, home).builds = 1 }, nil, home},
		{"two more are not", func(a, b *worker) { pick(a, b, home).builds = 2 }, nil, other},
		{"one that did not answer just now comes last", func(a, b *worker) { pick(a, b, home).failed = now.Add(-time.Second) }, nil, other},
		{"and not for ever", func(a, b *worker) { pick(a, b, home).failed = now.Add(-time.Minute) }, nil, home},
		{"the one that runs the platform wins", func(a, b *worker) {
			pick(a, b, home).platforms, pick(a, b, other).platforms = []string{"linux/amd64"}, []string{"linux/amd64", "linux/arm64"}
		}, []string{"linux/amd64", "linux/arm64"}, other},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := first(tt.change, tt.wanted...); got != tt.want {
				t.Errorf("%s comes first, want %s", got, tt.want)
			}
		})
	}
}

func TestServicesAreSpreadOverTheBuildkitds(t *testing.T) {
	p := New([]string{"tcp://a:1234", "tcp://b:1234", "tcp://c:1234"})
	seen := map[string]int{}
	for _, service := range []string{"shop/web", "shop/cart", "pay/ledger", "pay/cards", "tea/house", "silk/road", "dock/crane", "salt/pan", "fog/horn", "lamp/oil"} {
		seen[p.order(nil, service, time.Now())[0].address]++
	}
	if len(seen) != 3 {
		t.Errorf("ten services went to %v", seen)
	}
}
