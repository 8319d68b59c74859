package pipeline

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/release"
)

// Keeping is an action of environments that rather keep what was refused than return by
// themselves, after a migration of data for example: what is live stays, the release is
// held and a person decides.
func Keeping(act Action, keeps func(release.Env) bool) Action {
	return func(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
		facts, v, err := act(ctx, key, r)
		if err != nil || v.Outcome() != release.Refused || !r.Now().Live || !keeps(r.Env()) {
			return facts, v, err
		}
		next := fmt.Sprintf("it is left as it is (onFailure: hold); to return: seatrial release rollback %s --env %s, or push a fix", r.ID, r.Env())
		return facts, release.Inconclusive(v.Reason(), next).With(v.Evidence()...), nil
	}
}
