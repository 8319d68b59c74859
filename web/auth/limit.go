package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Sign-ins that may be tried: a burst, refilled over the time. The limit of a name
// holds over all addresses, so it is wide: nobody can lock a person out for long.
var (
	perAddress = quota{burst: 10, refill: time.Minute}
	perName    = quota{burst: 30, refill: 15 * time.Minute}
)

// mostKeys bounds the memory of the limiter.
const mostKeys = 10_000

type quota struct {
	burst  int
	refill time.Duration // from empty to full
}

func (q quota) each() time.Duration { return q.refill / time.Duration(q.burst) }

// limiter counts tries before they are made, so that many at once cannot slip through.
// It starts empty with the server.
type limiter struct {
	mu    sync.Mutex           // guards empty
	until map[string]time.Time // when the key's bucket will be full again
}

func newLimiter() *limiter { return &limiter{until: map[string]time.Time{}} }

// take spends one try of key, or says how long to wait.
func (l *limiter) take(key string, q quota, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.until[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(q.each())
	if over := full.Sub(now) - q.refill; over > 0 {
		return over, false
	}
	if _, known := l.until[key]; !known {
		l.makeRoomLocked(now)
	}
	l.until[key] = full
	return 0, true
}

// giveBack returns a try that was a person's own.
func (l *limiter) giveBack(key string, q quota) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if full, known := l.until[key]; known {
		l.until[key] = full.Add(-q.each())
	}
}

func (l *limiter) makeRoomLocked(now time.Time) {
	if len(l.until) < mostKeys {
		return
	}
	for k, full := range l.until {
		if full.Before(now) {
			delete(l.until, k)
		}
	}
	for k := range l.until { // any of them: nobody can choose whose
		if len(l.until) < mostKeys {
			return
		}
		delete(l.until, k)
	}
}

// address is whom to count: a host, or the network of an IPv6 host. A forwarded address
// is believed only from a proxy we were told of.
func (g *Guard) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if hops := strings.Split(r.Header.Get("X-Forwarded-For"), ","); g.proxied(ip) {
		if client, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
			ip = client
		}
	}
	if ip = ip.Unmap(); ip.Is6() {
		if net64, err := ip.Prefix(64); err == nil {
			return net64.String()
		}
	}
	return ip.String()
}

func (g *Guard) proxied(ip netip.Addr) bool {
	for _, p := range g.config.Proxies {
		if p.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}
