package kube

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

// Where the server's service account is on a cluster.
const (
	RobotNamespace = "seatrial"
	RobotName      = "seatrial"
)

// Robot is a service account for the server.
type Robot struct {
	Server string
	CA     string // PEM; empty: the system's
	Token  secret.Text
}

// RobotConfig says what the account may do.
type RobotConfig struct {
	Also     []string // more kinds: "databases.db.dev"
	Exec     []string // namespaces in which experiments may run programs in pods
	Patience time.Duration
}

// Admin is a cluster of a person's own kubeconfig, which may run what it wants: it is run
// by that person.
func Admin(file, name string) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: name}).ClientConfig()
	if err != nil {
		return nil, hint.Add(fmt.Errorf("context %s cannot be used: %w", name, err), "kubectl config get-contexts lists what there is")
	}
	tune(cfg)
	return newCluster(name, "", cfg)
}

// rules are the rights to manage what services usually have; what only shows how that is
// may be read.
func (c RobotConfig) rules() []any {
	rule := func(verbs, group string, resources ...string) any {
		return map[string]any{"apiGroups": []any{group}, "resources": list(resources), "verbs": list(strings.Fields(verbs))}
	}
	const manage, read = "get list watch create patch update delete", "get list watch"
	all := []any{
		rule(manage, "", "configmaps", "secrets", "services", "serviceaccounts", "persistentvolumeclaims"),
		rule("get list watch create patch update", "", "namespaces"),
		rule(read, "", "pods"), rule(read, "apps", "replicasets"), rule("list", "", "events"),
		rule(manage, "apps", "deployments", "statefulsets", "daemonsets"),
		rule(manage, "batch", "jobs", "cronjobs"),
		rule(manage, "networking.k8s.io", "ingresses", "networkpolicies"),
		rule(manage, "autoscaling", "horizontalpodautoscalers"),
		rule(manage, "policy", "poddisruptionbudgets"),
		rule(manage, "rbac.authorization.k8s.io", "roles", "rolebindings"), // never beyond its own rights: the cluster sees to that
	}
	for _, also := range c.Also {
		resource, group, _ := strings.Cut(also, ".")
		all = append(all, rule(manage, group, resource))
	}
	return all
}

// execRules are the rights that faults of kind Exec need: to mark a pod, and to run
// programs in it. Clusters ask for "get" of those that speak WebSocket, too.
func execRules() []any {
	return []any{
		map[string]any{"apiGroups": []any{""}, "resources": []any{"pods"}, "verbs": []any{"get", "patch"}},
		map[string]any{"apiGroups": []any{""}, "resources": []any{"pods/exec"}, "verbs": []any{"create", "get"}},
	}
}

func list(words []string) (out []any) {
	for _, w := range words {
		out = append(out, w)
	}
	return out
}

// MakeRobot makes the service account, or brings its rights up to date, and waits for its
// token.
func (c *Cluster) MakeRobot(ctx context.Context, cfg RobotConfig) (Robot, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Patience)
	defer cancel()
	for _, o := range cfg.objects() {
		if _, err := c.put(ctx, o); err != nil {
			return Robot{}, fmt.Errorf("%s %s: %w", o["kind"], RobotName, err)
		}
	}
	token, err := c.awaitToken(ctx)
	if err != nil {
		return Robot{}, err
	}
	ca := c.config.CAData
	if len(ca) == 0 && c.config.CAFile != "" {
		if ca, err = os.ReadFile(c.config.CAFile); err != nil {
			return Robot{}, fmt.Errorf("read the cluster's authority: %w", err)
		}
	}
	return Robot{Server: c.config.Host, CA: string(ca), Token: token}, nil
}

// objects are the account and its rights, in the order in which they need each other.
func (c RobotConfig) objects() []map[string]any {
	const rbac = "rbac.authorization.k8s.io/v1"
	who := []any{map[string]any{"kind": "ServiceAccount", "name": RobotName, "namespace": RobotNamespace}}
	all := []map[string]any{
		{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": RobotNamespace}},
		{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": nameIn(RobotNamespace)},
		{"apiVersion": rbac, "kind": "ClusterRole", "metadata": nameIn(""), "rules": c.rules()},
		{"apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": nameIn(""), "roleRef": roleRef("ClusterRole"), "subjects": who},
	}
	for _, namespace := range c.Exec {
		all = append(all,
			map[string]any{"apiVersion": rbac, "kind": "Role", "metadata": nameIn(namespace), "rules": execRules()},
			map[string]any{"apiVersion": rbac, "kind": "RoleBinding", "metadata": nameIn(namespace), "roleRef": roleRef("Role"), "subjects": who})
	}
	return append(all, tokenSecret())
}

func roleRef(kind string) map[string]any {
	return map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": RobotName}
}

func nameIn(namespace string) map[string]any {
	m := map[string]any{"name": RobotName}
	if namespace != "" {
		m["namespace"] = namespace
	}
	return m
}

func tokenSecret() map[string]any {
	meta := map[string]any{"name": RobotName + "-token", "namespace": RobotNamespace, "annotations": map[string]any{"kubernetes.io/service-account.name": RobotName}}
	return map[string]any{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": meta}
}

func (c *Cluster) put(ctx context.Context, content map[string]any) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{Object: content}
	client, err := c.Objects(o)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	force := true
	return client.Patch(ctx, o.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: Manager, Force: &force})
}

// awaitToken reads the token once the cluster has made it.
func (c *Cluster) awaitToken(ctx context.Context) (secret.Text, error) {
	o := &unstructured.Unstructured{Object: tokenSecret()}
	client, err := c.Objects(o)
	if err != nil {
		return "", err
	}
	for {
		got, err := client.Get(ctx, o.GetName(), metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			return "", errors.New("read the token: " + Why(err))
		}
		if err == nil {
			text, _, _ := unstructured.NestedString(got.Object, "data", "token")
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil && len(raw) > 0 {
				return secret.Text(raw), nil
			}
		}
		if err := pause(ctx); err != nil {
			return "", hint.Add(errors.New("the cluster makes no token for its service account"), "does its controller-manager run?")
		}
	}
}
