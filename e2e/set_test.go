//go:build lab

package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
)

func TestTwoServicesOfASetEnterTogetherAndReturnTogether(t *testing.T) {
	t.Parallel()
	ctx := within(t, 14*time.Minute)
	crew := add(t, ctx, "crew/deck")
	begin(t, ctx, crew)
	quietAfter(t, "crew/mess")
	mess := must(stage.AddBeside(ctx, "crew/mess", crew))(t)
	before := begin(t, ctx, mess)

	const set = "\n\nSeatrial-Set: rations-2"
	good(t, mess, "a warm soup")
	second := must(mess.Push(ctx, "mess: soup"+set))(t)
	check(t, crew.Change("3-currency"))
	first := must(crew.Push(ctx, "deck: prices with a currency"+set))(t)

	bad, carried := must(stage.API.AwaitEnd(ctx, first))(t), must(stage.API.AwaitEnd(ctx, second))(t)
	ended(t, bad, release.RolledBack, "")
	ended(t, carried, release.RolledBack, "")
	if bad.Set != "rations-2" || carried.Set != bad.Set {
		t.Errorf("sets %q and %q", bad.Set, carried.Set)
	}
	back := carried.History[len(carried.History)-2]
	if back.To != release.RollingBack || back.Env != "prod" || !strings.Contains(back.Reason, "together with "+string(first)) {
		t.Errorf("the other returned because of %+v\n%s", back, told(carried))
	}
	entered := func(r release.Release, env release.Env) time.Time {
		for _, h := range r.History {
			if h.Env == env && h.To == release.Deploying {
				return h.At
			}
		}
		t.Errorf("%s never entered %s", r.ID, env)
		return time.Time{}
	}
	if e, v := entered(bad, "prod"), carried.Stages[0].Verified; v.IsZero() || e.Before(v) {
		t.Errorf("%s entered prod at %s, the other was verified in staging at %s", bad.ID, e, v)
	}
	if e, v := entered(carried, "prod"), bad.Stages[0].Verified; v.IsZero() || e.Before(v) {
		t.Errorf("%s entered prod at %s, the other was verified in staging at %s", carried.ID, e, v)
	}
	for _, cluster := range []string{"prod-canary", "prod-main"} {
		running(t, ctx, mess, cluster, before.Artifact.Reference())
	}
	desired(t, ctx, mess, "prod", before.Artifact.Reference())
	t.Logf("refused to returned: %s itself, %s the other", bad.Stages[1].Returned.Sub(bad.Stages[1].Refused), carried.Stages[1].Returned.Sub(bad.Stages[1].Refused))
}
