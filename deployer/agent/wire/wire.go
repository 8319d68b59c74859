// Package wire is what an agent and the server say to each other, and how it is written
// down: messages as JSON over gRPC, each with a limit, and orders that the server signs.
//
// Start at Ask and Report, then Order. It never acts on a message, and an order is never
// read before its signature has been checked.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/release"
)

// The limits of one message, in bytes. An order holds a service's manifests, which are at
// most 8 MiB of YAML.
const (
	MaxAsk    = 32 << 20 // to an agent
	MaxReport = 4 << 20  // to the server
	MaxBatch  = 500      // objects of one State
	MaxHeld   = 6_000    // services of one agent: a Hello names them all
)

// Keep-alives and deadlines, the same on both ends.
const (
	Beat     = 10 * time.Second // a silent connection is asked for a sign of life
	Silence  = 5 * time.Second  // and is cut when none comes within this
	Dialling = 10 * time.Second // for a connection, and for its first message
	Longest  = 2 * time.Minute  // that an agent works on one Ask
)

// ServerName is the name in the certificate of every server: an agent knows its server by
// the authority that it pinned, wherever it dials.
const ServerName = "agents.seatrial.internal"

// Enrol asks for a certificate with a one-time token.
type Enrol struct {
	Token string `json:"token"`
	CSR   []byte `json:"csr"` // DER
}

// Enrolled is an agent's identity, and what it has to pin.
type Enrolled struct {
	Cluster     string `json:"cluster"`
	Certificate []byte `json:"certificate"` // DER
	Authority   []byte `json:"authority"`   // DER, of the server's own authority for agents
	Orders      []byte `json:"orders"`      // the ed25519 key that signs orders
}

// Renew asks for the next certificate, over the one that still counts.
type Renew struct {
	CSR []byte `json:"csr"`
}

// Renewed is the next certificate.
type Renewed struct {
	Certificate []byte `json:"certificate"`
}

// Report is one message of an agent; one field is set.
type Report struct {
	Hello  *Hello  `json:"hello,omitempty"`
	State  *State  `json:"state,omitempty"`
	Answer *Answer `json:"answer,omitempty"`
	Healed *Healed `json:"healed,omitempty"`
}

// Hello begins a stream.
type Hello struct {
	Version  string `json:"version"`
	Epoch    string `json:"epoch"`    // of its revisions; another one after each start
	Revision uint64 `json:"revision"` // of its newest state
	Held     []Held `json:"held,omitempty"`
}

// Held is the order that an agent last took for a service.
type Held struct {
	Service  release.Service  `json:"service"`
	Seq      uint64           `json:"seq"`
	Digest   string           `json:"digest"`
	Hooks    bool             `json:"hooks,omitempty"`
	Revision release.Commit   `json:"revision"`
	Seen     []release.Commit `json:"seen,omitempty"` // newest last
}

// Welcome answers Hello: the agent sends what has changed since that revision of its
// epoch, or everything.
type Welcome struct {
	After uint64 `json:"after,omitempty"`
}

// State is a part of what an agent sees.
type State struct {
	List     bool     `json:"list,omitempty"` // everything known before counts no more
	Revision uint64   `json:"revision"`       // a stream that is cut goes on from here
	Current  bool     `json:"current,omitempty"`
	Objects  []Object `json:"objects,omitempty"`
}

// Object is how an object of a service is.
type Object struct {
	Group     string          `json:"group,omitempty"`
	Kind      string          `json:"kind"`
	Namespace string          `json:"namespace,omitempty"`
	Name      string          `json:"name"`
	Service   release.Service `json:"service,omitempty"`
	Content   string          `json:"content,omitempty"` // digest of what was applied
	Version   string          `json:"version,omitempty"` // the cluster's own
	Health    string          `json:"health,omitempty"`
	Gone      bool            `json:"gone,omitempty"`
}

// Key names an object within its cluster.
func (o Object) Key() string { return o.Group + "/" + o.Kind + "/" + o.Namespace + "/" + o.Name }

// Healed says that the agent put a service back to what it was last told.
type Healed struct {
	Service  release.Service `json:"service"`
	Revision release.Commit  `json:"revision"`
	Objects  []string        `json:"objects"`
	At       time.Time       `json:"at"`
	Took     time.Duration   `json:"took"`
	Error    string          `json:"error,omitempty"`
}

// Message is one of the server's; one field is set.
type Message struct {
	Welcome *Welcome `json:"welcome,omitempty"`
	Scripts *Scripts `json:"scripts,omitempty"`
	Ask     *Ask     `json:"ask,omitempty"`
}

// Scripts are the platform's health scripts, which judge and change nothing.
type Scripts struct {
	Commit release.Commit    `json:"commit"`
	Files  map[string]string `json:"files,omitempty"`
}

// Ask is what an agent has to answer; one of Order, Again and Question is set.
type Ask struct {
	ID       uint64        `json:"id"`
	Within   time.Duration `json:"within"`
	Order    *Signed       `json:"order,omitempty"`
	Again    *Again        `json:"again,omitempty"`
	Question *Question     `json:"question,omitempty"`
}

// Again asks for one more step of the order that the agent holds. It is not signed: it can
// only repeat what was.
type Again struct {
	Service release.Service `json:"service"`
	Seq     uint64          `json:"seq"`
	Hooks   bool            `json:"hooks,omitempty"` // only where the order has them
}

// About is what a question asks for. None changes anything.
type About string

// The questions.
const (
	Health  About = "health"
	Drift   About = "drift"
	Diff    About = "diff"
	Tree    About = "tree"
	Details About = "details"
	Scope   About = "scope"
	Reach   About = "reach"
	Scalers About = "scalers" // the autoscalers of ours
)

// Question asks how something is.
type Question struct {
	About                About           `json:"about"`
	Service              release.Service `json:"service,omitempty"`
	Seq                  uint64          `json:"seq,omitempty"` // of the order that says what is wanted; 0: Want does
	Want                 *Want           `json:"want,omitempty"`
	Since                time.Time       `json:"since,omitzero"`
	Object               *details.Ref    `json:"object,omitempty"` // of Details
	Group, Version, Kind string          `json:",omitempty"`       // of Scope
}

// Answer is what became of an Ask.
type Answer struct {
	ID          uint64                                  `json:"id"`
	Error       string                                  `json:"error,omitempty"` // it could not be asked
	Hint        string                                  `json:"hint,omitempty"`
	Unknown     bool                                    `json:"unknown,omitempty"` // the order of that number is not held
	Result      *live.Result                            `json:"result,omitempty"`
	Objects     []string                                `json:"objects,omitempty"`
	Differences []live.ObjectDiff                       `json:"differences,omitempty"`
	Tree        *tree.Tree                              `json:"tree,omitempty"`
	Details     *details.Details                        `json:"details,omitempty"`
	Namespaced  bool                                    `json:"namespaced,omitempty"`
	Known       bool                                    `json:"known,omitempty"`
	Scalers     []autoscalingv2.HorizontalPodAutoscaler `json:"scalers,omitempty"`

	State   string `json:"state,omitempty"`
	Message string `json:"message,omitempty"`
}

// Want is live.Want, written down.
type Want struct {
	Service   release.Service              `json:"service"`
	Revision  release.Commit               `json:"revision"`
	Namespace string                       `json:"namespace,omitempty"`
	Objects   []*unstructured.Unstructured `json:"objects"`
	Prune     release.Prune                `json:"prune"`
	Rules     release.SyncRules            `json:"rules"`
	Hooks     bool                         `json:"hooks,omitempty"`
}

// Of writes a Want down.
func Of(w live.Want) Want { return Want(w) }

// Live is what was written down.
func (w Want) Live() (live.Want, error) {
	if !release.ValidName(w.Service.Team()) || !release.ValidName(w.Service.Name()) {
		return live.Want{}, fmt.Errorf("service %q: not a name", w.Service)
	}
	for _, o := range w.Objects {
		if o == nil || o.GetKind() == "" || o.GetName() == "" {
			return live.Want{}, errors.New("an object without a kind or a name")
		}
	}
	return live.Want(w), nil
}

// Codec is how messages are written on a connection.
type Codec struct{}

// Name is the content type's ending.
func (Codec) Name() string { return "json" }

// Marshal writes.
func (Codec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal reads. What it does not know is passed over: an older agent may serve a newer
// server. Orders are read strictly, see Verify.
func (Codec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }
