package kube_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
)

// admin is a person's kubeconfig for a small API server, with the context "c".
func admin(t *testing.T, server *kubetest.Server) *kube.Cluster {
	t.Helper()
	dir := t.TempDir()
	server.Credentials(t, dir, "mine")
	c, err := kube.Admin(filepath.Join(dir, "mine.kubeconfig"), "c")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rbacServer(t *testing.T) *kubetest.Server {
	return kubetest.New(t, kubetest.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole", Resource: "clusterroles", Cluster: true},
		kubetest.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding", Resource: "clusterrolebindings", Cluster: true},
		kubetest.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role", Resource: "roles"},
		kubetest.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding", Resource: "rolebindings"})
}

func TestMakeRobot(t *testing.T) {
	server := rbacServer(t)
	server.Refuse = func(_ string, o *unstructured.Unstructured) *kubetest.Refusal {
		if o.GetKind() == "Secret" { // the controller fills it in
			_ = unstructured.SetNestedField(o.Object, base64.StdEncoding.EncodeToString([]byte("robots-token")), "data", "token")
		}
		return nil
	}
	robot, err := admin(t, server).MakeRobot(t.Context(), kube.RobotConfig{Also: []string{"databases.db.dev"}, Exec: []string{"shop"}, Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if robot.Token.Reveal() != "robots-token" || robot.Server != server.URL || strings.Contains(fmt.Sprintf("%v %+v", robot, robot), "robots-token") {
		t.Errorf("got %+v", robot)
	}
	role := server.Get("ClusterRole", "", kube.RobotName)
	rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
	text := fmt.Sprint(rules)
	for _, no := range []string{"*", "clusterroles", "nodes", "customresourcedefinitions", "escalate", "impersonate", "pods/exec"} {
		if strings.Contains(text, no) {
			t.Errorf("it may do too much: %s in %s", no, text)
		}
	}
	if !strings.Contains(text, "apiGroups:[db.dev] resources:[databases]") {
		t.Errorf("what was asked for is missing: %s", text)
	}
	for _, r := range rules {
		if s := fmt.Sprint(r); strings.Contains(s, "pods") && strings.Contains(s, "delete") {
			t.Errorf("it may delete pods: %s", s)
		}
	}
	inside, _, _ := unstructured.NestedSlice(server.Get("Role", "shop", kube.RobotName).Object, "rules")
	if want := "[map[apiGroups:[] resources:[pods] verbs:[get patch]] map[apiGroups:[] resources:[pods/exec] verbs:[create get]]]"; fmt.Sprint(inside) != want {
		t.Errorf("in the namespace it may %v, want %s", inside, want)
	}
	if bound := server.Get("RoleBinding", "shop", kube.RobotName); bound == nil || !strings.Contains(fmt.Sprint(bound.Object), "name:seatrial namespace:seatrial") {
		t.Errorf("bound to %v", bound)
	}
	binding := server.Get("ClusterRoleBinding", "", kube.RobotName)
	if subjects, _, _ := unstructured.NestedSlice(binding.Object, "subjects"); len(subjects) != 1 || !strings.Contains(fmt.Sprint(subjects), kube.RobotNamespace) {
		t.Errorf("bound to %v", subjects)
	}
}

func TestAClusterThatMakesNoTokenIsNotWaitedForForEver(t *testing.T) {
	_, err := admin(t, rbacServer(t)).MakeRobot(t.Context(), kube.RobotConfig{Patience: 300 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "makes no token") || hint.Of(err) == "" {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := kube.Admin(file, "nowhere"); err == nil || hint.Of(err) == "" {
		t.Errorf("a context that is not there: %v", err)
	}
}
