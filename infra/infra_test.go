package infra_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/infra"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// config runs the terraform of this machine without a network: its only source of
// providers is an empty folder.
func config(t *testing.T) infra.Config {
	t.Helper()
	path, err := exec.LookPath("terraform")
	if err != nil {
		t.Fatalf("these tests need a real terraform 1.x on PATH, for example /usr/local/bin/terraform: %v", err)
	}
	home := t.TempDir()
	rc := filepath.Join(home, "offline.tfrc")
	write(t, rc, "provider_installation {\n  filesystem_mirror {\n    path = \""+t.TempDir()+"\"\n  }\n}\n")
	return infra.Config{Exec: path, Env: map[string]string{"PATH": "/usr/bin:/bin", "HOME": home, "TF_CLI_CONFIG_FILE": rc}}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func passes(context.Context, []byte) (release.Verdict, error) { return release.Pass(), nil }

// agreed is an approval of one plan and of no other.
func agreed(to *release.Digest) infra.Approved {
	return func(_ context.Context, plan release.Digest) (release.Verdict, error) {
		if plan != *to {
			return release.Wait("nobody approved "+string(plan), 1), nil
		}
		return release.Pass(), nil
	}
}

func newTerraform(t *testing.T, c infra.Config, judge infra.Judge, approved infra.Approved) *infra.Terraform {
	t.Helper()
	tf, err := infra.New(c, judge, approved)
	if err != nil {
		t.Fatal(err)
	}
	return tf
}

const one = "resource \"terraform_data\" \"a\" {\n  input = \"first\"\n}\n"

func TestPlanAndApply(t *testing.T) {
	dir, approved := t.TempDir(), release.Digest("")
	write(t, filepath.Join(dir, "main.tf"), one)
	var judged []byte
	tf := newTerraform(t, config(t), func(_ context.Context, plan []byte) (release.Verdict, error) {
		judged = plan
		return release.Pass(), nil
	}, agreed(&approved))
	plan, v, err := tf.Plan(t.Context(), dir)
	if err != nil || v.Outcome() != release.Passed {
		t.Fatalf("%v %q, %v", v.Outcome(), v.Reason(), err)
	}
	if len(plan.Changes) != 1 || plan.Changes[0].Address != "terraform_data.a" || plan.Changes[0].Actions[0] != "create" || v.Evidence()[0].Facts["plan"] != string(plan.Digest()) {
		t.Errorf("changes %+v, evidence %+v", plan.Changes, v.Evidence())
	}
	if _, err := os.Stat(filepath.Join(dir, "plan.bin")); err == nil {
		t.Error("the plan, which may hold secrets, lies among the sources")
	}
	apply := func(p infra.Plan, want release.Outcome, says string) {
		t.Helper()
		v, err := tf.Apply(t.Context(), dir, p)
		if err != nil || v.Outcome() != want || !strings.Contains(v.Reason(), says) {
			t.Errorf("%v %q, %v, want %v with %q", v.Outcome(), v.Reason(), err, want, says)
		}
	}
	apply(plan, release.Waiting, "nobody approved "+string(plan.Digest()))
	approved = plan.Digest()
	other := plan
	other.File = append(bytes.Clone(plan.File), 0)
	apply(other, release.Waiting, "nobody approved "+string(other.Digest()))
	apply(plan, release.Passed, "")
	if !bytes.Equal(judged, plan.JSON) {
		t.Error("what was judged is not the plan")
	}
	apply(plan, release.Refused, "the state has changed since the plan was made")

	again, _, err := tf.Plan(t.Context(), dir)
	if err != nil || len(again.Changes) != 0 || again.Digest() == plan.Digest() {
		t.Errorf("after the apply: %+v, %v", again.Changes, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "ran")
	run := `provisioner "local-exec" { command = "touch ` + marker + `" }`
	for _, c := range []struct {
		name  string
		files map[string]string
		says  string
	}{
		{name: "a provisioner", files: map[string]string{"main.tf": "resource \"terraform_data\" \"a\" {\n" + run + "\n}"}, says: "main.tf:1: a provisioner runs a program"},
		{name: "a provisioner of something removed", files: map[string]string{"main.tf": "removed {\nfrom = terraform_data.a\n" + run + "\n}"}, says: "a provisioner runs a program"},
		{name: "a provisioner in a module of the folder", files: map[string]string{"main.tf": "module \"m\" {\nsource = \"./m\"\n}", "m/a.tf": "resource \"terraform_data\" \"a\" {\n" + run + "\n}"}, says: "m/a.tf:1: a provisioner"},
		{name: "an external data source", files: map[string]string{"main.tf": "data \"external\" \"x\" {\nprogram = [\"touch\", \"" + marker + "\"]\n}"}, says: "main.tf:1: an external data source"},
		{name: "an external data source of a check", files: map[string]string{"main.tf": "check \"c\" {\ndata \"external\" \"x\" {\nprogram = [\"touch\", \"" + marker + "\"]\n}\n}"}, says: "an external data source"},
		{name: "a block that nobody knows", files: map[string]string{"main.tf": "action \"local_command\" \"x\" {}"}, says: `what a block "action" runs is not known here`},
		{name: "JSON", files: map[string]string{"main.tf.json": `{"data": {"external": {"x": {"program": ["touch"]}}}}`}, says: "only .tf files are read here"},
		{name: "a file that does not parse", files: map[string]string{"main.tf": "resource {"}, says: "main.tf:1"},
		{name: "a file that is too big", files: map[string]string{"main.tf": strings.Repeat("# x\n", 1<<19)}, says: "more than 1048576 bytes"},
	} {
		t.Run(c.name+" is refused before terraform runs", func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				write(t, filepath.Join(dir, file), text)
			}
			none := release.Digest("")
			plan, v, err := newTerraform(t, config(t), passes, agreed(&none)).Plan(t.Context(), dir)
			if err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), c.says) || v.Hint() == "" || plan.File != nil {
				t.Errorf("%v %q (%s), %v", v.Outcome(), v.Reason(), v.Hint(), err)
			}
			if _, err := os.Stat(filepath.Join(dir, ".terraform")); err == nil {
				t.Error("terraform was initialised")
			}
			if _, err := os.Stat(marker); err == nil {
				t.Error("the program ran")
			}
		})
	}
}

func TestLinkOutOfTheFolderIsRefused(t *testing.T) {
	dir, outside, none := t.TempDir(), filepath.Join(t.TempDir(), "out.tf"), release.Digest("")
	write(t, outside, one)
	if err := os.Symlink(outside, filepath.Join(dir, "main.tf")); err != nil {
		t.Fatal(err)
	}
	if _, v, err := newTerraform(t, config(t), passes, agreed(&none)).Plan(t.Context(), dir); err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "is a link") {
		t.Errorf("%v %q, %v", v.Outcome(), v.Reason(), err)
	}
}

func TestProvidersThatCameWithTheSourcesAreRemoved(t *testing.T) {
	dir, none := t.TempDir(), release.Digest("")
	smuggled := filepath.Join(dir, ".terraform", "providers", "evil")
	write(t, filepath.Join(dir, "main.tf"), one)
	write(t, smuggled, "#!/bin/sh")
	if _, v, err := newTerraform(t, config(t), passes, agreed(&none)).Plan(t.Context(), dir); err != nil || v.Outcome() != release.Passed {
		t.Errorf("%v %q, %v", v.Outcome(), v.Reason(), err)
	}
	if _, err := os.Stat(smuggled); err == nil {
		t.Error("it is still there")
	}
}

func TestProviderOutsideTheMirrorIsAnErrorWithoutANetwork(t *testing.T) {
	dir, none := t.TempDir(), release.Digest("")
	write(t, filepath.Join(dir, "main.tf"), "resource \"null_resource\" \"a\" {}")
	if _, _, err := newTerraform(t, config(t), passes, agreed(&none)).Plan(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "hashicorp/null") {
		t.Errorf("err = %v", err)
	}
}

func TestTerraformSeesOnlyItsOwnEnvironment(t *testing.T) {
	t.Setenv("SEATRIAL_SECRET_X", "hunter2")
	t.Setenv("TF_VAR_who", "the server")
	dir, none := t.TempDir(), release.Digest("")
	write(t, filepath.Join(dir, "main.tf"), "variable \"who\" {\n  default = \"nobody\"\n}\nresource \"terraform_data\" \"a\" {\n  input = var.who\n}\n")
	plan, _, err := newTerraform(t, config(t), passes, agreed(&none)).Plan(t.Context(), dir)
	if err != nil || !bytes.Contains(plan.JSON, []byte(`"input":"nobody"`)) {
		t.Errorf("plan %s, %v", plan.JSON, err)
	}
}

func TestApplyRefuses(t *testing.T) {
	down := errors.New("no answer")
	for _, c := range []struct {
		name string
		json string
		v    release.Verdict
		err  error
		says string
	}{
		{name: "a plan of an unknown format", json: `{"format_version":"2.0"}`, says: `format "2.0"`},
		{name: "a plan without a format", json: `{}`, says: `format ""`},
		{name: "a plan that is no JSON", json: `x`, says: "does not read"},
		{name: "a plan with errors", json: `{"format_version":"1.2","errored":true}`, says: "met errors"},
		{name: "half a plan", json: `{"format_version":"1.2","complete":false}`, says: "not complete"},
		{name: "a plan with a provisioner in a module", json: `{"format_version":"1.2","configuration":{"root_module":{"module_calls":{"m":{"module":{"resources":[{"address":"x.y","provisioners":[{}]}]}}}}}}`, says: "x.y runs a program"},
		{name: "a plan that a policy refuses", json: `{"format_version":"1.2"}`, v: release.Refuse("no public buckets", "close it"), says: "no public buckets"},
		{name: "a plan that no policy could be asked about", json: `{"format_version":"1.2"}`, err: down},
	} {
		t.Run(c.name, func(t *testing.T) {
			any := func(context.Context, release.Digest) (release.Verdict, error) { return release.Pass(), nil }
			tf := newTerraform(t, config(t), func(context.Context, []byte) (release.Verdict, error) { return c.v, c.err }, any)
			v, err := tf.Apply(t.Context(), t.TempDir(), infra.Plan{File: []byte("x"), JSON: []byte(c.json)})
			if !errors.Is(err, c.err) || c.err == nil && (v.Outcome() != release.Refused || !strings.Contains(v.Reason(), c.says)) {
				t.Errorf("%v %q, %v", v.Outcome(), v.Reason(), err)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	if err := (infra.Config{Exec: "terraform"}).Validate(); err == nil || hint.Of(err) == "" {
		t.Errorf("a relative program: %v", err)
	}
	if err := (infra.Config{Exec: "/bin/terraform", Env: map[string]string{"TF_VAR_x": "y"}}).Validate(); err == nil {
		t.Error("a variable was let through")
	}
	if _, err := infra.New(infra.Config{Exec: "/bin/terraform"}, nil, nil); err == nil {
		t.Error("no policies and no approvals, and no error")
	}
}
