package infra

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/seatrial/seatrial/release"
)

// Apply carries out exactly this plan, when the policies pass it and enough people
// approved its digest; otherwise the verdict says what is missing. A plan that no longer
// fits the state is refused, so that repeating a call applies nothing twice.
func (t *Terraform) Apply(ctx context.Context, dir string, plan Plan) (release.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, t.config.ApplyTimeout)
	defer cancel()
	verdict, err := t.apply(ctx, dir, plan)
	if err != nil {
		return release.Verdict{}, fmt.Errorf("apply %s: %w", dir, err)
	}
	return verdict, nil
}

func (t *Terraform) apply(ctx context.Context, dir string, plan Plan) (release.Verdict, error) {
	if why := (&Plan{JSON: plan.JSON}).read(); why != "" {
		return release.Refuse(why, "plan again"), nil
	}
	digest := plan.Digest()
	judged, err := t.judge(ctx, plan.JSON)
	if err != nil || judged.Outcome() != release.Passed {
		return judged, err
	}
	agreed, err := t.approved(ctx, digest)
	if err != nil || agreed.Outcome() != release.Passed {
		return agreed.With(judged.Evidence()...), err
	}
	refused, err := t.carryOut(ctx, dir, plan)
	if err != nil {
		return release.Verdict{}, err
	}
	if refused != "" {
		return release.Refuse(refused, "plan again and have that plan approved"), nil
	}
	evidence := release.Evidence{Gate: "apply", Claim: "the approved plan was applied, byte for byte", Holds: true, To: time.Now(), Facts: map[string]string{"plan": string(digest)}}
	return release.Pass(judged.Evidence()...).With(agreed.Evidence()...).With(evidence), nil
}

// carryOut writes the approved bytes where only we can, and has terraform apply them.
func (t *Terraform) carryOut(ctx context.Context, dir string, plan Plan) (refused string, err error) {
	tf, refused, err := t.prepare(ctx, dir)
	if err != nil || refused != "" {
		return refused, err
	}
	private, err := os.MkdirTemp("", "seatrial-apply-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(private)
	file := filepath.Join(private, "plan.bin")
	if err := os.WriteFile(file, plan.File, 0o600); err != nil {
		return "", err
	}
	err = tf.Apply(ctx, tfexec.DirOrPlan(file), tfexec.LockTimeout("60s"))
	if err != nil && strings.Contains(err.Error(), "Saved plan is stale") {
		return "the state has changed since the plan was made, so the plan and its approvals are void", nil
	}
	return "", err
}
