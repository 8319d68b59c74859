package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/lab/machine"
)

// chaosKinds are the kinds that have webhooks.
var chaosKinds = []string{
	"podchaos", "iochaos", "timechaos", "networkchaos", "kernelchaos", "stresschaos", "awschaos", "azurechaos", "gcpchaos", "dnschaos",
	"jvmchaos", "schedule", "workflow", "httpchaos", "blockchaos", "physicalmachinechaos", "physicalmachine", "statuscheck", "remotecluster",
}

func plural(kind string) string {
	if strings.HasSuffix(kind, "chaos") {
		return kind
	}
	return kind + "s"
}

// startChaos installs Chaos Mesh: definitions first, or the controller logs
// errors for kinds it cannot find; webhooks last, or nothing could be created
// while it starts.
func (c *Cluster) startChaos(ctx context.Context) error {
	a, err := newAPI(c.Cluster, c.dir)
	if err != nil {
		return err
	}
	defer a.close()
	if err := c.applyCRDs(ctx, a, c.bins.CRDs, "chaos-mesh.org"); err != nil {
		return fmt.Errorf("install Chaos Mesh: %w", err)
	}
	if err := c.applyChaosObjects(ctx, a); err != nil {
		return fmt.Errorf("install Chaos Mesh: %w", err)
	}
	for _, name := range []string{"chaos-daemon", "chaos-controller"} {
		if err := c.launch(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range []string{"chaos-daemon", "chaos-controller"} {
		if err := c.ready(ctx, name); err != nil {
			return err
		}
	}
	if err := c.applyWebhooks(ctx, a); err != nil {
		return fmt.Errorf("install Chaos Mesh: %w", err)
	}
	return nil
}

const crdPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// applyCRDs makes the definitions of a file, all of one group, and waits until they count.
func (c *Cluster) applyCRDs(ctx context.Context, a *api, file, group string) error {
	all, err := definitions(file)
	if err != nil {
		return err
	}
	if checkEstablished(ctx, a, group, len(all)) == nil {
		return nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(24)
	for _, crd := range all {
		meta, _ := crd["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		g.Go(func() error {
			// Creating a large definition costs the server a fraction of applying it.
			existed, err := a.create(gctx, crdPath, crd)
			if existed {
				err = a.apply(gctx, crdPath+"/"+name, crd)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return machine.Poll(ctx, 5*time.Minute, func(ctx context.Context) error { return checkEstablished(ctx, a, group, len(all)) })
}

func checkEstablished(ctx context.Context, a *api, group string, want int) error {
	var list struct {
		Items []struct {
			Spec   struct{ Group string }
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := a.get(ctx, crdPath, &list); err != nil {
		return err
	}
	n := 0
	for _, item := range list.Items {
		for _, cond := range item.Status.Conditions {
			if item.Spec.Group == group && cond.Type == "Established" && cond.Status == "True" {
				n++
			}
		}
	}
	if n < want {
		return fmt.Errorf("%d of %d definitions established", n, want)
	}
	return nil
}

func (c *Cluster) applyChaosObjects(ctx context.Context, a *api) error {
	certs := filepath.Join(c.dir, "hookcerts")
	err := os.MkdirAll(certs, 0o700)
	for from, to := range map[string]string{"hook.crt": "tls.crt", "hook.key": "tls.key"} {
		b, rerr := os.ReadFile(filepath.Join(c.dir, "pki", from))
		err = errors.Join(err, rerr, os.WriteFile(filepath.Join(certs, to), b, 0o600))
	}
	if err != nil {
		return err
	}
	ports := []any{object{"name": "grpc", "port": 31767}, object{"name": "http", "port": 31766}}
	const ns = "/api/v1/namespaces/chaos-mesh"
	if err := a.apply(ctx, ns, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "chaos-mesh"}}); err != nil {
		return err
	}
	if err := a.apply(ctx, ns+"/services/chaos-daemon", object{
		"apiVersion": "v1", "kind": "Service", "metadata": object{"name": "chaos-daemon"},
		"spec": object{"clusterIP": "None", "ports": ports},
	}); err != nil {
		return err
	}
	// The controller finds the daemon of a node by the endpoint's node name.
	return a.apply(ctx, ns+"/endpoints/chaos-daemon", object{
		"apiVersion": "v1", "kind": "Endpoints", "metadata": object{"name": "chaos-daemon"},
		"subsets": []any{object{"addresses": []any{object{"ip": c.NodeIP(), "nodeName": c.Node()}}, "ports": ports}},
	})
}

func (c *Cluster) applyWebhooks(ctx context.Context, a *api) error {
	ca, err := os.ReadFile(filepath.Join(c.dir, "pki", "ca.crt"))
	if err != nil {
		return err
	}
	hook := func(name, path, resource string) any {
		return object{
			"name": name + ".kb.io", "clientConfig": object{"url": "https://127.0.0.1:9443/" + path, "caBundle": ca},
			"failurePolicy": "Fail", "timeoutSeconds": 5, "sideEffects": "None", "admissionReviewVersions": []any{"v1"},
			"rules": []any{object{
				"apiGroups": []any{"chaos-mesh.org"}, "apiVersions": []any{"v1alpha1"},
				"operations": []any{"CREATE", "UPDATE"}, "resources": []any{resource},
			}},
		}
	}
	var mutate, validate []any
	for _, k := range chaosKinds {
		mutate = append(mutate, hook("m"+k, "mutate-chaos-mesh-org-v1alpha1-"+k, plural(k)))
		validate = append(validate, hook("v"+k, "validate-chaos-mesh-org-v1alpha1-"+k, plural(k)))
	}
	validate = append(validate, hook("vauth", "validate-auth", "*"))
	const group = "admissionregistration.k8s.io/v1"
	for _, o := range []struct {
		resource, kind, name string
		hooks                []any
	}{
		{"mutatingwebhookconfigurations", "MutatingWebhookConfiguration", "chaos-mesh-mutation", mutate},
		{"validatingwebhookconfigurations", "ValidatingWebhookConfiguration", "chaos-mesh-validation", validate},
	} {
		v := object{"apiVersion": group, "kind": o.kind, "metadata": object{"name": o.name}, "webhooks": o.hooks}
		if err := a.apply(ctx, "/apis/"+group+"/"+o.resource+"/"+o.name, v); err != nil {
			return err
		}
	}
	return nil
}
