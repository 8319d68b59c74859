// Package infra changes infrastructure with terraform or tofu: it plans, has the plan
// judged and approved, and applies exactly that plan.
//
// Start at Terraform.Plan, then Terraform.Apply. The package never plans a
// configuration that runs programs of its own (provisioners, external data sources),
// never applies anything but the bytes that were approved, and never passes its own
// environment on: terraform sees what Config.Env says and nothing else.
//
// Later: terraform dies with the process that started it, so kill -9 of the server cuts
// an apply in the middle and leaves the state locked. A small worker that outlives the
// server is to run Apply and keep its result; on resume the server asks the worker.
// Until then a plan that was cut is refused as stale and made again, never applied twice.
package infra

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Config says which program to run and what it may see.
type Config struct {
	Exec         string            // absolute path of terraform or tofu
	Env          map[string]string // all of its environment: PATH, HOME, TF_CLI_CONFIG_FILE, credentials
	PlanTimeout  time.Duration     // default 10m
	ApplyTimeout time.Duration     // default 1h; never an HTTP request's
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch bad := tfexec.ProhibitedEnv(c.Env); {
	case !filepath.IsAbs(c.Exec):
		return hint.Add(fmt.Errorf("infra: %q is not an absolute path of terraform or tofu", c.Exec), "set infra.exec in seatrial.yaml, for example /usr/local/bin/terraform")
	case len(bad) > 0:
		return fmt.Errorf("infra: environment variables %v change what terraform does and are not passed on", bad)
	case c.PlanTimeout < 0 || c.ApplyTimeout < 0:
		return errors.New("infra: a timeout is negative")
	}
	return nil
}

// Judge is the policy over a plan's JSON.
type Judge func(ctx context.Context, planJSON []byte) (release.Verdict, error)

// Approved says whether enough people agreed to the plan of that digest.
type Approved func(ctx context.Context, plan release.Digest) (release.Verdict, error)

// Terraform plans and applies. It keeps nothing between calls.
type Terraform struct {
	config   Config
	judge    Judge
	approved Approved
}

// New is a Terraform that applies only what judge and approved both pass.
func New(c Config, judge Judge, approved Approved) (*Terraform, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if judge == nil || approved == nil {
		return nil, errors.New("infra: neither policies nor approvals may be left out")
	}
	if c.PlanTimeout == 0 {
		c.PlanTimeout = 10 * time.Minute
	}
	if c.ApplyTimeout == 0 {
		c.ApplyTimeout = time.Hour
	}
	return &Terraform{config: c, judge: judge, approved: approved}, nil
}

// env is never empty: terraform-exec takes an empty one for the server's own.
func (t *Terraform) env() map[string]string {
	env := map[string]string{"CHECKPOINT_DISABLE": "1"}
	for k, v := range t.config.Env {
		env[k] = v
	}
	return env
}
