package live

import (
	"encoding/json"
	"sync"

	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"

	"github.com/seatrial/seatrial/deployer/live/health"
	"github.com/seatrial/seatrial/deployer/live/ignore"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// rules are an environment's, ready to use.
type rules struct {
	id     int // another one for other rules
	ignore *ignore.Set
	health *health.Checks
}

// CheckRules finds mistakes in an environment's rules.
func CheckRules(r release.SyncRules) error {
	if _, err := ignore.Compile(r.IgnoreDifferences); err != nil {
		return err
	}
	_, err := health.Compile(nil, r.HealthCheckExprs)
	return err
}

// CheckScripts finds mistakes in the platform's health scripts.
func CheckScripts(scripts map[string]string) error {
	_, err := health.Compile(scripts, nil)
	return err
}

const maxBooks = 256 // compiled rules; there are about as many as environments

// book keeps rules that were compiled.
type book struct {
	mu   sync.Mutex // guards what follows
	all  map[string]*rules
	next int
}

// rules compiles an environment's rules, once.
func (c *Clusters) rules(r release.SyncRules) (*rules, *Result) {
	version, scripts := c.cfg.Scripts()
	key, err := json.Marshal([]any{version, r.IgnoreDifferences, r.HealthCheckExprs})
	if err != nil {
		return nil, badRules(err)
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	if known := c.book.all[string(key)]; known != nil {
		return known, nil
	}
	c.book.next++
	made := &rules{id: c.book.next}
	if made.ignore, err = ignore.Compile(r.IgnoreDifferences); err != nil {
		return nil, badRules(err)
	}
	if made.health, err = health.Compile(scripts, r.HealthCheckExprs); err != nil {
		return nil, badRules(err)
	}
	if len(c.book.all) >= maxBooks || c.book.all == nil {
		c.book.all = map[string]*rules{}
	}
	c.book.all[string(key)] = made
	return made, nil
}

func badRules(err error) *Result {
	next := hint.Of(err)
	if next == "" {
		next = "correct it in the platform repo; seatrial config validate DIR finds it"
	}
	return &Result{State: Refused, Message: "the environment's rules cannot be used: " + err.Error(), Hint: next}
}

// proof says that an object with this content looked like this and was as wanted.
type proof struct {
	content string
	shape   uint64
	rules   int
}

// proofs are those of one cluster.
type proofs struct {
	mu  sync.Mutex // guards all
	all map[enginekube.ResourceKey]proof
}

func (p *proofs) holds(key enginekube.ResourceKey, now proof) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was, ok := p.all[key]
	return ok && was == now && now.shape != 0
}

func (p *proofs) keep(key enginekube.ResourceKey, now proof) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[enginekube.ResourceKey]proof{}
	}
	p.all[key] = now
}

func (p *proofs) drop(key enginekube.ResourceKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, key)
}
