package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const (
	looking  = 20 * time.Second // for a question
	probing  = 3 * time.Second  // for "are you there"
	envelope = 1 << 20          // of a message, around what it carries
)

// within is the time that is left, at most longest.
func within(ctx context.Context, longest time.Duration) time.Duration {
	if at, ok := ctx.Deadline(); ok {
		return max(time.Millisecond, min(longest, time.Until(at)))
	}
	return longest
}

// Sync orders an agent to make its cluster hold what is wanted, see live.Clusters.Sync.
func (h *Hub) Sync(ctx context.Context, cluster string, w live.Want) (live.Result, error) {
	return h.order(ctx, cluster, wire.Sync, wire.Of(w))
}

// Withdraw orders an agent to delete what a service has, see live.Clusters.Withdraw.
func (h *Hub) Withdraw(ctx context.Context, cluster string, w live.Want) (live.Result, error) {
	w.Hooks = false
	return h.order(ctx, cluster, wire.Withdraw, wire.Of(w))
}

func (h *Hub) order(ctx context.Context, cluster string, act wire.Act, w wire.Want) (live.Result, error) {
	c, err := h.connected(cluster)
	if err != nil {
		return unreachable(err)
	}
	digest, err := wire.Digest(act, w)
	if err != nil {
		return unreachable(err)
	}
	had := c.holds(w.Service)
	if had.Digest == digest && (had.Hooks || !w.Hooks) {
		got, err := c.ask(ctx.Done(), within(ctx, wire.Longest), wire.Ask{Again: &wire.Again{Service: w.Service, Seq: had.Seq, Hooks: w.Hooks}})
		if err != nil {
			return unreachable(err)
		}
		if !got.Unknown {
			return resultOf(got)
		}
		c.forget(w.Service)
	}
	o := wire.Order{Cluster: cluster, Seq: h.next(cluster, w.Service), Act: act, Return: had.Returns(w.Revision), Issued: h.cfg.Now().UTC(), Want: w}
	signed, err := h.cfg.Authority.Sign(o)
	if err != nil {
		return unreachable(err)
	}
	if len(signed.Order)/3*4 > wire.MaxAsk-envelope {
		return live.Result{State: live.Refused, Message: fmt.Sprintf("the manifests of %s are too large to be sent to an agent (%d MiB)", w.Service, len(signed.Order)>>20),
			Hint: "deploy fewer or smaller objects with one service"}, nil
	}
	got, err := c.ask(ctx.Done(), within(ctx, wire.Longest), wire.Ask{Order: &signed})
	if err != nil {
		c.hold(had.Maybe(o))
		return unreachable(err)
	}
	c.hold(had.Next(o, digest))
	return resultOf(got)
}

// next is a number above all that an order for the service had: also after the server lost
// what it knew, because the clock has gone on and the agent says what it holds.
func (h *Hub) next(cluster string, s release.Service) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.memberLocked(cluster)
	m.seqs[s] = max(m.seqs[s]+1, uint64(h.cfg.Now().UnixMicro()))
	return m.seqs[s]
}

func unreachable(err error) (live.Result, error) {
	return live.Result{State: live.Unreachable, Message: err.Error()}, err
}

func resultOf(a *wire.Answer) (live.Result, error) {
	if a.Result == nil {
		return unreachable(errors.New("the agent's answer says nothing"))
	}
	return *a.Result, nil
}

// Health asks an agent, see live.Clusters.Health.
func (h *Hub) Health(ctx context.Context, cluster string, w live.Want, since time.Time) (live.Result, error) {
	got, err := h.about(ctx, cluster, w, wire.Question{About: wire.Health, Since: since})
	if err != nil {
		return unreachable(err)
	}
	return resultOf(got)
}

// Drifted asks an agent, see live.Clusters.Drifted.
func (h *Hub) Drifted(ctx context.Context, cluster string, w live.Want) ([]string, error) {
	got, err := h.about(ctx, cluster, w, wire.Question{About: wire.Drift})
	if err != nil {
		return nil, err
	}
	return got.Objects, nil
}

// Diff asks an agent, see live.Clusters.Diff.
func (h *Hub) Diff(ctx context.Context, cluster string, w live.Want) ([]live.ObjectDiff, error) {
	got, err := h.about(ctx, cluster, w, wire.Question{About: wire.Diff})
	if err != nil {
		return nil, err
	}
	return got.Differences, nil
}

// Resources asks an agent, see live.Clusters.Resources.
func (h *Hub) Resources(ctx context.Context, cluster string, w live.Want) (tree.Tree, error) {
	got, err := h.about(ctx, cluster, w, wire.Question{About: wire.Tree})
	if err != nil {
		return tree.Tree{}, err
	}
	if got.Tree == nil {
		return tree.Tree{}, errors.New("the agent's answer says nothing")
	}
	return *got.Tree, nil
}

// Details asks an agent, see live.Clusters.Details.
func (h *Hub) Details(ctx context.Context, cluster string, w live.Want, at details.Ref) (details.Details, error) {
	got, err := h.about(ctx, cluster, w, wire.Question{About: wire.Details, Object: &at})
	if err != nil {
		return details.Details{}, err
	}
	if got.Details == nil {
		return details.Details{}, errors.New("the agent's answer says nothing")
	}
	return *got.Details, nil
}

// about asks how things are compared with a Want, which is only sent when the agent does
// not hold it.
func (h *Hub) about(ctx context.Context, cluster string, w live.Want, q wire.Question) (*wire.Answer, error) {
	c, err := h.connected(cluster)
	if err != nil {
		return nil, err
	}
	if h.cfg.Scripts != nil {
		c.tell(h.cfg.Scripts())
	}
	digest, err := wire.Digest(wire.Sync, wire.Of(w))
	if err != nil {
		return nil, err
	}
	q.Service = w.Service
	if had := c.holds(w.Service); had.Digest == digest {
		q.Seq = had.Seq
		got, err := c.ask(ctx.Done(), within(ctx, looking), wire.Ask{Question: &q})
		if err != nil || !got.Unknown {
			return got, err
		}
		c.forget(w.Service)
	}
	sent := wire.Of(w)
	q.Seq, q.Want = 0, &sent
	return c.ask(ctx.Done(), within(ctx, looking), wire.Ask{Question: &q})
}

// Autoscalers asks an agent for its cluster's autoscalers of ours; it is an autoscale.List.
func (h *Hub) Autoscalers(ctx context.Context, cluster string) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
	c, err := h.connected(cluster)
	if err != nil {
		return nil, err
	}
	got, err := c.ask(ctx.Done(), within(ctx, looking), wire.Ask{Question: &wire.Question{About: wire.Scalers}})
	if err == nil && got.Unknown {
		err = hint.Add(fmt.Errorf("the agent of cluster %s does not tell of autoscalers: it is older than the server", cluster), "bring it up to date")
	}
	if err != nil {
		return nil, err
	}
	return got.Scalers, nil
}

// Reach says whether a cluster answers its agent, and how the agent is connected.
func (h *Hub) Reach(ctx context.Context, cluster string) (state, message string) {
	c, err := h.connected(cluster)
	if err != nil {
		return string(live.Unreachable), err.Error()
	}
	got, err := c.probe(ctx.Done(), within(ctx, probing), wire.Ask{Question: &wire.Question{About: wire.Reach}})
	if err != nil {
		return string(live.Unreachable), err.Error()
	}
	if got.State == "Ready" && got.Message == "" {
		got.Message = h.Connection(cluster).String()
	}
	return got.State, got.Message
}
