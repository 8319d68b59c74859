package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Act is what an order does.
type Act string

// The acts.
const (
	Sync     Act = "sync"
	Withdraw Act = "withdraw"
)

// Order is what the server wants of one service on one cluster.
type Order struct {
	Cluster string    `json:"cluster"`
	Seq     uint64    `json:"seq"` // rises with every order for the service on the cluster
	Act     Act       `json:"act"`
	Return  bool      `json:"return,omitempty"` // to a revision that was there before, on purpose
	Issued  time.Time `json:"issued"`
	Want    Want      `json:"want"`
}

// Signed is an order with the server's signature.
type Signed struct {
	Order     []byte `json:"order"`
	Signature []byte `json:"signature"`
}

// purpose keeps a signature of something else from being one of an order.
const purpose = "seatrial.dev/order/v1\x00"

// Sign signs an order.
func Sign(key ed25519.PrivateKey, o Order) (Signed, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return Signed{}, fmt.Errorf("write the order for %s: %w", o.Want.Service, err)
	}
	return Signed{Order: data, Signature: ed25519.Sign(key, append([]byte(purpose), data...))}, nil
}

// ErrForged: the signature is not the server's.
var ErrForged = errors.New("the order is not signed by our server")

// Verify reads an order that the key's owner has signed. A field that this agent does not
// know is an error: it would do less than what is wanted.
func Verify(key ed25519.PublicKey, s Signed) (Order, error) {
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, append([]byte(purpose), s.Order...), s.Signature) {
		return Order{}, ErrForged
	}
	var o Order
	d := json.NewDecoder(bytes.NewReader(s.Order))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return Order{}, fmt.Errorf("the order cannot be read: %w", err)
	}
	if o.Act != Sync && o.Act != Withdraw {
		return Order{}, fmt.Errorf("the order's act %q is not known", o.Act)
	}
	if _, err := o.Want.Live(); err != nil {
		return Order{}, fmt.Errorf("the order cannot be read: %w", err)
	}
	return o, nil
}

// Digest names what an order wants, whether or not its hooks run.
func Digest(act Act, w Want) (string, error) {
	w.Hooks = false
	data, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("write down what is wanted of %s: %w", w.Service, err)
	}
	sum := sha256.Sum256(append([]byte(act+"\x00"), data...))
	return hex.EncodeToString(sum[:]), nil
}

// Revisions of a service. The server remembers more than an agent refuses: an agent may
// have taken orders of which the server knows nothing, and the other way round.
const (
	maxSeen = 16 // that the server remembers
	maxLeft = 8  // that an agent does: to them there is no way back but a return
)

// Holder is whom an order has to be for, and what it holds of the service.
type Holder struct {
	Cluster string
	Key     ed25519.PublicKey
}

// Refusal is an order that an agent does not obey.
type Refusal struct{ Reason string }

// Error says why.
func (r *Refusal) Error() string { return "the agent refuses the order: " + r.Reason }

// Take checks an order against what is held of its service; had is the zero Held for a
// service that is new.
func (h Holder) Take(s Signed, held func(release.Service) Held) (Order, Held, error) {
	o, err := Verify(h.Key, s)
	if err != nil {
		return Order{}, Held{}, &Refusal{err.Error()}
	}
	had := held(o.Want.Service)
	if why := h.objection(o, had); why != "" {
		return Order{}, Held{}, &Refusal{why}
	}
	digest, err := Digest(o.Act, o.Want)
	if err != nil {
		return Order{}, Held{}, &Refusal{err.Error()}
	}
	next := had.Next(o, digest)
	next.Seen = next.Seen[max(0, len(next.Seen)-maxLeft):]
	return o, next, nil
}

// Next is what is held once an order is taken.
func (h Held) Next(o Order, digest string) Held {
	seen := h.Seen
	if o.Want.Revision != h.Revision || len(seen) == 0 {
		seen = append(seen[:len(seen):len(seen)], o.Want.Revision)
	}
	if len(seen) > maxSeen {
		seen = seen[len(seen)-maxSeen:]
	}
	return Held{Service: o.Want.Service, Seq: o.Seq, Digest: digest, Hooks: o.Want.Hooks, Revision: o.Want.Revision, Seen: seen}
}

func (h Holder) objection(o Order, had Held) string {
	switch {
	case o.Cluster != h.Cluster:
		return fmt.Sprintf("it is for cluster %s, and this is %s", o.Cluster, h.Cluster)
	case o.Seq <= had.Seq:
		return fmt.Sprintf("its number %d is not above %d, which was obeyed already", o.Seq, had.Seq)
	case o.Want.Revision != had.Revision && !o.Return && slices.Contains(had.Seen, o.Want.Revision):
		return fmt.Sprintf("revision %s was left for a newer one, and it is not a return", o.Want.Revision.Short())
	}
	return ""
}

// Maybe is what the server notes when nobody knows whether the agent took an order.
func (h Held) Maybe(o Order) Held { return h.Next(o, "") }

// Returns reports whether an order of the revision has to be a return; one of the revision
// that is held may be one.
func (h Held) Returns(r release.Commit) bool { return slices.Contains(h.Seen, r) }
