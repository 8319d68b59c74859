//go:build lab

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// chart makes a service's manifests a Helm chart whose migration runs before each upgrade.
func chart(t *testing.T, s *rig.Service) {
	t.Helper()
	base := filepath.Join(s.Repo().Dir(), "deploy", "base")
	files := map[string]string{
		"deploy/Chart.yaml":       "apiVersion: v2\nname: " + s.Name.Name() + "\nversion: 1.0.0\n",
		"deploy/values.yaml":      "region: test\n",
		"deploy/values-prod.yaml": "region: eu\n",
		"deploy/templates/migrate.yaml": `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Chart.Name }}-migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: migrate
          image: ` + string(s.Name) + `
          command: [/web, migrate]
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`,
	}
	for _, name := range []string{"namespace.yaml", "deployment.yaml", "service.yaml"} {
		data, err := os.ReadFile(filepath.Join(base, name))
		check(t, err)
		text := strings.Replace(string(data), "value: test", "value: {{ .Values.region }}", 1)
		files["deploy/templates/"+name] = strings.Replace(text, "metadata:\n", "metadata:\n  namespace: "+s.Namespace()+"\n", 1)
	}
	files["deploy/templates/namespace.yaml"] = strings.Replace(files["deploy/templates/namespace.yaml"], "  namespace: "+s.Namespace()+"\n", "", 1)
	check(t, os.RemoveAll(filepath.Join(s.Repo().Dir(), "deploy")))
	source, err := os.ReadFile(filepath.Join(s.Repo().Dir(), "main.go"))
	check(t, err)
	files["main.go"] = strings.Replace(string(source), "func main() {\n", "func main() {\n\tif len(os.Args) > 1 && os.Args[1] == \"migrate\" {\n\t\treturn\n\t}\n", 1)
	for name, text := range files {
		check(t, s.Repo().Write(name, text))
	}
}

// migrated is which image the migration last ran with on a cluster, and whether it was
// done before the Deployment's newest ReplicaSet was made.
func migrated(t *testing.T, ctx context.Context, s *rig.Service, cluster string) (image string) {
	t.Helper()
	out := must(stage.Kubectl(ctx, cluster, "-n", s.Namespace(), "get", "job", s.Name.Name()+"-migrate",
		"-o", `jsonpath={.spec.template.spec.containers[0].image} {.status.succeeded} {.status.completionTime}`))(t)
	image, rest, _ := strings.Cut(out, " ")
	succeeded, ended, _ := strings.Cut(rest, " ")
	at, err := time.Parse(time.RFC3339, ended)
	if succeeded != "1" || err != nil {
		t.Fatalf("the migration on %s: %s (%v)", cluster, out, err)
	}
	sets := must(stage.Kubectl(ctx, cluster, "-n", s.Namespace(), "get", "replicasets", "-o",
		`jsonpath={range .items[*]}{.spec.template.spec.containers[0].image} {.metadata.creationTimestamp}{"\n"}{end}`))(t)
	for line := range strings.Lines(sets) {
		of, made, _ := strings.Cut(strings.TrimSpace(line), " ")
		made, _, _ = strings.Cut(made, " ")
		if created, err := time.Parse(time.RFC3339, made); of == image && (err != nil || created.Before(at)) {
			t.Errorf("on %s pods of %s were made at %s, before its migration was done at %s", cluster, image, made, ended)
		}
	}
	return image
}

func TestAChartsMigrationRunsBeforeEachUpgradeAndNotOnTheWayBack(t *testing.T) {
	t.Parallel()
	ctx := within(t, 12*time.Minute)
	s := add(t, ctx, "helm/chart")
	chart(t, s)
	before := begin(t, ctx, s)
	for _, cluster := range []string{"staging", "prod-canary", "prod-main"} {
		if image := migrated(t, ctx, s, cluster); image != before.Artifact.Reference() {
			t.Errorf("the migration on %s ran with %s, want %s", cluster, image, before.Artifact.Reference())
		}
	}
	check(t, s.Change("3-currency"))
	bad := deliver(t, ctx, s, "chart: prices with a currency")
	ended(t, bad, release.RolledBack, "")
	running(t, ctx, s, "prod-canary", before.Artifact.Reference())
	for cluster, want := range map[string]release.Release{"staging": bad, "prod-canary": bad, "prod-main": before} {
		if image := migrated(t, ctx, s, cluster); image != want.Artifact.Reference() {
			t.Errorf("the migration on %s last ran with %s, want that of %s", cluster, image, want.ID)
		}
	}
}
