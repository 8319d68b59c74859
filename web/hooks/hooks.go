// Package hooks receives the webhooks of forges. A delivery is accepted only when its
// signature over the raw body holds, and answered only when it is on disk.
//
// Start at New, then Receiver.receive, which reads top to bottom. It never believes a
// payload: a push, like whatever happens to a pull request, is a hint to read the ref again
// from the configured remote and to ask the forge itself. So a replay under a new delivery
// id, which no signature covers, costs one look and changes nothing.
package hooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

// Known reports whether a repo of a forge is one we deploy from. It is asked for every
// delivery, so it answers from memory.
type Known func(kind forge.Kind, repo string) bool

// Intake keeps a push and returns only when it and its delivery id are on disk, in one
// step. It reports false when that delivery was kept before.
type Intake func(ctx context.Context, p forge.Push) (fresh bool, err error)

// Count is told what became of a delivery, one of a few words, for metrics.
type Count func(kind forge.Kind, result string)

// Config is what the receiver has to be told.
type Config struct {
	// Secrets of each forge: one, or two while the first is being replaced. A forge
	// without an entry is not served.
	Secrets map[forge.Kind][]secret.Text
}

// Limits of a delivery. They are constants on purpose: no forge needs more.
const (
	MaxBody     = 1 << 20 // bytes
	maxDelivery = 64      // characters of a delivery id
	minSecret   = 16      // characters of a shared secret
	inFlight    = 128     // deliveries at once, so at most 128 MiB of bodies
	readTime    = 10 * time.Second
	queueTime   = 5 * time.Second
	keepBuffer  = 64 << 10
)

// Validate refuses a forge whose webhooks anybody could sign.
func (c Config) Validate() error {
	var all []error
	for kind, secrets := range c.Secrets {
		if kind != forge.Gitea && kind != forge.GitHub {
			all = append(all, fmt.Errorf("webhook forge %q is neither gitea nor github", kind))
		}
		if len(secrets) == 0 || len(secrets) > 2 {
			all = append(all, hint.Add(fmt.Errorf("webhook of %s has %d secrets", kind, len(secrets)), "set one, or two while replacing it"))
		}
		for _, s := range secrets {
			if len(s) < minSecret {
				all = append(all, hint.Add(fmt.Errorf("webhook secret of %s is shorter than %d characters", kind, minSecret),
					"make one with: openssl rand -hex 32"))
			}
		}
	}
	return errors.Join(all...)
}

// Receiver serves the webhooks of all configured forges.
type Receiver struct {
	known  Known
	intake Intake
	count  Count
	log    *slog.Logger
	slots  chan struct{}
	bodies sync.Pool
	forges map[forge.Kind]*signer
}

// New refuses to start without secrets that are worth the name.
func New(c Config, known Known, intake Intake, count Count, log *slog.Logger) (*Receiver, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if known == nil || intake == nil || count == nil || log == nil {
		return nil, errors.New("webhooks: known, intake, count and log are all needed")
	}
	r := &Receiver{known: known, intake: intake, count: count, log: log,
		slots: make(chan struct{}, inFlight), forges: map[forge.Kind]*signer{}}
	for kind, secrets := range c.Secrets {
		r.forges[kind] = newSigner(kind, secrets)
	}
	return r, nil
}

// Kinds are the forges that are served.
func (r *Receiver) Kinds() []forge.Kind {
	var kinds []forge.Kind
	for _, k := range []forge.Kind{forge.Gitea, forge.GitHub} {
		if r.forges[k] != nil {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// Handler serves one forge's deliveries.
func (r *Receiver) Handler(kind forge.Kind) http.Handler {
	s := r.forges[kind]
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if s == nil {
			unserved.write(w)
			return
		}
		a := r.receive(w, req, s)
		r.count(kind, a.result)
		a.write(w)
	})
}

// signer knows one forge's header names and secrets.
type signer struct {
	kind                       forge.Kind
	event, delivery, signature string // canonical header names
	prefix                     string
	macs                       []*sync.Pool // of hash.Hash, one pool a secret
}

func newSigner(kind forge.Kind, secrets []secret.Text) *signer {
	s := &signer{kind: kind, event: "X-Gitea-Event", delivery: "X-Gitea-Delivery", signature: "X-Gitea-Signature"}
	if kind == forge.GitHub {
		*s = signer{kind: kind, event: "X-Github-Event", delivery: "X-Github-Delivery",
			signature: "X-Hub-Signature-256", prefix: "sha256="}
	}
	for _, one := range secrets {
		key := []byte(one.Reveal())
		s.macs = append(s.macs, &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }})
	}
	return s
}

// claimed is the signature a request carries; false when it carries none of the right
// form, which is known before the body is read.
func (s *signer) claimed(h http.Header) (sum [sha256.Size]byte, ok bool) {
	values := h[s.signature]
	if len(values) != 1 {
		return sum, false
	}
	digits, found := strings.CutPrefix(values[0], s.prefix)
	if !found || len(digits) != hex.EncodedLen(len(sum)) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(digits))
	return sum, err == nil
}

// signed compares with every secret, each in constant time.
func (s *signer) signed(body []byte, sum [sha256.Size]byte) bool {
	ok := false
	for _, pool := range s.macs {
		mac := pool.Get().(hash.Hash)
		mac.Reset()
		mac.Write(body)
		var want [sha256.Size]byte
		ok = hmac.Equal(mac.Sum(want[:0]), sum[:]) || ok
		pool.Put(mac)
	}
	return ok
}
