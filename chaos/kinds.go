package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// Kinds is every fault that there is: each kind is carried out by the Provider under its
// name, and any other by Else. A fault of one's own is a Provider more.
type Kinds struct {
	Finder // of pods, and of what Else has done
	Else   Provider
	Own    map[string]Provider
}

func (k Kinds) of(kind string) Provider {
	if p, ok := k.Own[kind]; ok {
		return p
	}
	return k.Else
}

// Prepare asks the kind's provider when it wants to be asked.
func (k Kinds) Prepare(ctx context.Context, o Order) (release.FaultRecord, error) {
	if p, ok := k.of(o.Fault.Kind).(Preparer); ok {
		return p.Prepare(ctx, o)
	}
	return o.Fault, nil
}

// Inject is the kind's.
func (k Kinds) Inject(ctx context.Context, o Order) error {
	return k.of(o.Fault.Kind).Inject(ctx, o)
}

// Look is the kind's.
func (k Kinds) Look(ctx context.Context, f release.FaultRecord) (Sight, error) {
	return k.of(f.Kind).Look(ctx, f)
}

// Revert is the kind's.
func (k Kinds) Revert(ctx context.Context, f release.FaultRecord, force Force) error {
	return k.of(f.Kind).Revert(ctx, f, force)
}

// Faults are those of all kinds. What one kind cannot tell is an error, and what the
// others have told is returned with it.
func (k Kinds) Faults(ctx context.Context, cluster string) ([]Found, error) {
	all, first := k.Finder.Faults(ctx, cluster)
	for _, kind := range slices.Sorted(maps.Keys(k.Own)) {
		lister, ok := k.Own[kind].(Lister)
		if !ok {
			continue
		}
		found, err := lister.Faults(ctx, cluster)
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", kind, err)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b Found) int { return strings.Compare(a.Run, b.Run) })
	return all, first
}
