package infra

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/seatrial/seatrial/release"
)

// maxPlan is the most bytes of a plan, as a file and as JSON.
const maxPlan = 64 << 20

// Plan is what terraform means to do. File and JSON hold secrets in clear: encrypt them
// where they are kept, and show people Changes only.
type Plan struct {
	File    []byte // what apply reads
	JSON    []byte // "terraform show -json", byte for byte
	Changes []Change
}

// Change is one resource that the plan touches, without its values.
type Change struct {
	Address string   `json:"address"` // "module.net.aws_vpc.main"
	Type    string   `json:"type"`
	Actions []string `json:"actions"` // "create", "update", "delete", or two of them for a replacement
}

// Digest names the plan; approvals are bound to it.
func (p Plan) Digest() release.Digest {
	h := sha256.New()
	for _, part := range [][]byte{p.File, p.JSON} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash never fails to write
		h.Write(part)
	}
	return release.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// Plan makes a plan of the configuration in dir. A configuration that would run programs
// is refused before terraform has seen it, and a plan that failed or that nobody can
// read is refused as well. An error means that terraform could not be asked.
func (t *Terraform) Plan(ctx context.Context, dir string) (Plan, release.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, t.config.PlanTimeout)
	defer cancel()
	plan, verdict, err := t.plan(ctx, dir)
	if err != nil {
		return Plan{}, release.Verdict{}, fmt.Errorf("plan %s: %w", dir, err)
	}
	if verdict.Outcome() != release.Passed {
		return Plan{}, verdict, nil
	}
	return plan, verdict, nil
}

func (t *Terraform) plan(ctx context.Context, dir string) (Plan, release.Verdict, error) {
	tf, refused, err := t.prepare(ctx, dir)
	if err != nil || refused != "" {
		return Plan{}, release.Refuse(refused, prepareFix), err
	}
	plan, err := t.make(ctx, tf)
	if err != nil {
		return Plan{}, release.Verdict{}, err
	}
	if why := plan.read(); why != "" {
		return Plan{}, release.Refuse(why, "correct the configuration and plan again"), nil
	}
	evidence := release.Evidence{Gate: "plan", Claim: "the plan is complete and runs no programs", Holds: true, To: time.Now(),
		Facts: map[string]string{"plan": string(plan.Digest()), "changes": fmt.Sprint(len(plan.Changes))}}
	return plan, release.Pass(evidence), nil
}

const prepareFix = "use resources of providers alone, in .tf files, with every provider in .terraform.lock.hcl"

// prepare reads the configuration and initialises terraform from nothing: a .terraform
// folder that came with the sources could bring providers of its own.
func (t *Terraform) prepare(ctx context.Context, dir string) (tf *tfexec.Terraform, refused string, err error) {
	if err := os.RemoveAll(filepath.Join(dir, ".terraform")); err != nil {
		return nil, "", err
	}
	if refused, err = inspect(dir); err != nil || refused != "" {
		return nil, refused, err
	}
	lock := filepath.Join(dir, ".terraform.lock.hcl")
	before, err := readIfThere(lock)
	if err != nil {
		return nil, "", err
	}
	if tf, err = tfexec.NewTerraform(dir, t.config.Exec); err != nil {
		return nil, "", err
	}
	if err := tf.SetEnv(t.env()); err != nil {
		return nil, "", err
	}
	if err := tf.Init(ctx, tfexec.Upgrade(false)); err != nil {
		return nil, "", fmt.Errorf("init: %w", err)
	}
	after, err := readIfThere(lock)
	if err != nil {
		return nil, "", err
	}
	if !bytes.Equal(before, after) {
		return nil, "the configuration needs providers that .terraform.lock.hcl does not name", nil
	}
	refused, err = inspect(dir) // what init fetched counts as well
	return tf, refused, err
}

// make runs plan and show in a private folder, so that nobody swaps the file between.
func (t *Terraform) make(ctx context.Context, tf *tfexec.Terraform) (Plan, error) {
	private, err := os.MkdirTemp("", "seatrial-plan-")
	if err != nil {
		return Plan{}, err
	}
	defer os.RemoveAll(private)
	file := filepath.Join(private, "plan.bin")
	if _, err := tf.Plan(ctx, tfexec.Out(file), tfexec.LockTimeout("60s")); err != nil {
		return Plan{}, err
	}
	var p Plan
	if p.JSON, err = t.show(ctx, tf.WorkingDir(), file); err != nil {
		return Plan{}, fmt.Errorf("show: %w", err)
	}
	if p.File, err = readIfThere(file); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// show runs "show -json" itself: the library would drop the fields it does not know, and
// policies judge all of them.
func (t *Terraform) show(ctx context.Context, dir, file string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, t.config.Exec, "show", "-json", "-no-color", file)
	cmd.Dir, cmd.WaitDelay = dir, 10*time.Second
	for k, v := range t.env() {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, complaint := &capped{most: maxPlan}, &capped{most: 64 << 10}
	cmd.Stdout, cmd.Stderr = out, complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}

// capped is a buffer that refuses to grow beyond most bytes.
type capped struct {
	bytes.Buffer
	most int
}

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > c.most {
		return 0, fmt.Errorf("more than %d bytes", c.most)
	}
	return c.Buffer.Write(p)
}

func readIfThere(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPlan {
		return nil, fmt.Errorf("%s has more than %d bytes", file, maxPlan)
	}
	return os.ReadFile(file)
}

// read fills Changes and says why the plan cannot be used, or nothing.
func (p *Plan) read() string {
	var doc struct {
		Format   string `json:"format_version"`
		Errored  bool   `json:"errored"`
		Complete *bool  `json:"complete"`
		Changes  []struct {
			Address string `json:"address"`
			Type    string `json:"type"`
			Change  struct {
				Actions []string `json:"actions"`
			} `json:"change"`
		} `json:"resource_changes"`
		Configuration struct {
			Root module `json:"root_module"`
		} `json:"configuration"`
	}
	if err := json.Unmarshal(p.JSON, &doc); err != nil {
		return "the plan's JSON does not read: " + err.Error()
	}
	switch major, _, _ := strings.Cut(doc.Format, "."); {
	case major != "1":
		return fmt.Sprintf("the plan has format %q, and only 1.x is known here", doc.Format)
	case doc.Errored:
		return "terraform met errors while planning"
	case doc.Complete != nil && !*doc.Complete:
		return "the plan is not complete: some changes are put off"
	}
	if why := doc.Configuration.Root.runsPrograms(); why != "" {
		return why
	}
	for _, c := range doc.Changes {
		if len(c.Change.Actions) != 1 || c.Change.Actions[0] != "no-op" {
			p.Changes = append(p.Changes, Change{Address: c.Address, Type: c.Type, Actions: c.Change.Actions})
		}
	}
	return ""
}

// module is the configuration as the plan repeats it.
type module struct {
	Resources []struct {
		Address      string            `json:"address"`
		Mode         string            `json:"mode"`
		Type         string            `json:"type"`
		Provisioners []json.RawMessage `json:"provisioners"`
	} `json:"resources"`
	Calls map[string]struct {
		Module module `json:"module"`
	} `json:"module_calls"`
}

func (m module) runsPrograms() string {
	for _, r := range m.Resources {
		if len(r.Provisioners) > 0 || r.Mode == "data" && r.Type == "external" {
			return r.Address + " runs a program"
		}
	}
	for _, call := range m.Calls {
		if why := call.Module.runsPrograms(); why != "" {
			return why
		}
	}
	return ""
}
