package mesh_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/mesh"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

func load(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func TestSee(t *testing.T) {
	tests := []struct {
		file, name string
		want       chaos.SightState
		message    string
	}{
		{"no-status-yet", "a fault nobody has looked at is starting", chaos.Starting, ""},
		{"selected-not-injected", "all recovered before the first injection means nothing", chaos.Starting, ""},
		{"pod-kill-injected", "all injected with a record is injected", chaos.Injected, ""},
		{"container-kill-injected", "so is a container", chaos.Injected, ""},
		{"one-of-two-injected", "one of two targets is not all", chaos.Starting, ""},
		{"all-injected-without-records", "all of nothing is not injected", chaos.Starting, ""},
		{"no-target", "nothing selected is starting until its event is found", chaos.Starting, ""},
		{"apply-failed", "a last event that failed is not injected", chaos.NotInjected, "unable to set tcs"},
		{"failed-then-injected", "a failure that was overcome is injected", chaos.Injected, ""},
		{"apply-failed-and-expired", "a fault that failed until it expired was never injected", chaos.NotInjected, "unable to set tcs"},
		{"pod-failure-recovering", "stopped and still injected is recovering", chaos.Recovering, ""},
		{"pod-failure-recovered", "stopped and recovered once is recovered", chaos.Recovered, ""},
		{"recovered-without-injection", "recovered without an injection is not", chaos.Recovering, ""},
		{"stuck-deleting", "being deleted says what went wrong", chaos.Recovering, "unable to set tcs"},
		{"deleting-without-controller", "being deleted for ever names the finalizer", chaos.Recovering, "chaos-mesh/records stays"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f mesh.Fault
			load(t, tt.file, &f)
			got := mesh.See(f)
			if got.State != tt.want || !strings.Contains(got.Message, tt.message) {
				t.Errorf("got %v %q, want %v %q", got.State, got.Message, tt.want, tt.message)
			}
			if got.Seen != (tt.file != "no-status-yet") {
				t.Errorf("seen = %v", got.Seen)
			}
			if got.State == chaos.Injected && (got.Injected.IsZero() || got.Targets[0] != "shop/web-7d9f8c6b5-x2x9k") {
				t.Errorf("injected at %v into %v", got.Injected, got.Targets)
			}
		})
	}
}

func TestWithoutTakesOnlyTheEntriesOfOneFault(t *testing.T) {
	var state map[string]any
	load(t, "podnetwork", &state)
	patch, changed := mesh.Without(state, "shop/delay", "tcs", "iptables", "ipsets")
	got, _ := json.Marshal(patch)
	want := `{"spec":{"ipsets":[{"ipsetType":"hash:net","name":"part_1","source":"shop/partition"}],"tcs":[]}}`
	if !changed || string(got) != want {
		t.Errorf("patch %s, want %s", got, want)
	}
	if _, changed := mesh.Without(state, "shop/other", "tcs", "iptables", "ipsets"); changed {
		t.Error("it changed what belongs to others")
	}
}

func order() chaos.Order {
	return chaos.Order{
		Fault: release.FaultRecord{Experiment: "kill-one-pod", Kind: "PodChaos", Action: "pod-kill", Name: "seatrial-kill-one-pod-0123456789abcdef",
			Namespace: "shop", Cluster: "staging", Targets: []string{"shop/web-1"}},
		Duration: 30 * time.Second, Release: "shop.web.3f2a91c07d0b",
	}
}

func TestObjectNamesItsTargetsAndEndsByItself(t *testing.T) {
	obj, err := mesh.Object(order(), "")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(obj.Object)
	for _, want := range []string{`"pods":{"shop":["web-1"]}`, `"mode":"all"`, `"duration":"30s"`, `"seatrial.dev/managed":"true"`,
		`"seatrial.dev/run":"seatrial-kill-one-pod-0123456789abcdef"`, `"seatrial.dev/release":"shop.web.3f2a91c07d0b"`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s has no %s", got, want)
		}
	}
	if strings.Contains(string(got), `"status"`) {
		t.Errorf("%s writes a status", got)
	}
	for name, change := range map[string]func(*chaos.Order){
		"no target":                     func(o *chaos.Order) { o.Fault.Targets = nil },
		"no duration":                   func(o *chaos.Order) { o.Duration = 0 },
		"a target of another namespace": func(o *chaos.Order) { o.Fault.Targets = []string{"pay/api-1"} },
	} {
		o := order()
		change(&o)
		if _, err := mesh.Object(o, ""); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// apiServer is a Kubernetes API that gives one answer to everything.
func apiServer(t *testing.T, code int, reason, message string) *mesh.Mesh {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q}`, code, reason, message)
	}))
	t.Cleanup(server.Close)
	return at(t, server.URL)
}

func at(t *testing.T, url string) *mesh.Mesh {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x","clusters":[{"name":"x","cluster":{"server":%q}}],"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],"users":[{"name":"x","user":{"token":"t"}}]}`, url)
	if err := os.WriteFile(filepath.Join(dir, "staging.kubeconfig"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return &mesh.Mesh{Clusters: kube.Open(dir).Get}
}

func TestInjectTellsWhatACannotFrom(t *testing.T) {
	tests := []struct {
		name            string
		code            int
		reason, message string
		cannot, final   bool
		want            string
	}{
		{"no Chaos Mesh", 404, "NotFound", "the server could not find the requested resource", true, true, "cannot inject on staging: Chaos Mesh is not installed"},
		{"no namespace", 404, "NotFound", `namespaces "shop" not found`, true, true, "namespace shop does not exist"},
		{"no controller", 500, "InternalError", `Internal error occurred: failed calling webhook "mpodchaos.kb.io": failed to call webhook: Post "https://127.0.0.1:9443/mutate": dial tcp 127.0.0.1:9443: connect: connection refused`, true, false, "webhook does not answer: is its controller running? (connect: connection refused)"},
		{"refused by Chaos Mesh", 403, "Forbidden", `admission webhook "vpodchaos.kb.io" denied the request: Spec.duration: invalid`, true, true, "denied the request"},
		{"an API server that is not ready", 503, "ServiceUnavailable", "apiserver is shutting down", false, false, "cluster staging does not answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := apiServer(t, tt.code, tt.reason, tt.message).Inject(t.Context(), order())
			c, cannot := errors.AsType[*chaos.CannotInject](err)
			if err == nil || cannot != tt.cannot || cannot && c.Final != tt.final || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q, cannot %v", err, tt.want, tt.cannot)
			}
		})
	}
}

func TestRepeatedInjectAndRevertAreNoErrors(t *testing.T) {
	if err := apiServer(t, 409, "AlreadyExists", "already exists").Inject(t.Context(), order()); err != nil {
		t.Errorf("injecting again: %v", err)
	}
	m := apiServer(t, 404, "NotFound", "not found")
	if err := m.Revert(t.Context(), order().Fault, chaos.Annotate); err != nil {
		t.Errorf("reverting what is gone: %v", err)
	}
	if sight, err := m.Look(t.Context(), order().Fault); err != nil || sight.State != chaos.Gone {
		t.Errorf("looking for what is gone: %v %v", sight, err)
	}
	if found, err := m.Faults(t.Context(), "staging"); err != nil || len(found) != 0 {
		t.Errorf("faults without Chaos Mesh: %v %v", found, err)
	}
}

func TestAClusterThatIsAwayIsAnError(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	m := at(t, url)
	for name, call := range map[string]func() error{
		"inject": func() error { return m.Inject(t.Context(), order()) },
		"look":   func() error { _, err := m.Look(t.Context(), order().Fault); return err },
		"revert": func() error { return m.Revert(t.Context(), order().Fault, chaos.Delete) },
		"pods":   func() error { _, err := m.Pods(t.Context(), "staging", "shop", nil); return err },
		"faults": func() error { _, err := m.Faults(t.Context(), "staging"); return err },
	} {
		err := call()
		if _, cannot := errors.AsType[*chaos.CannotInject](err); err == nil || cannot || !strings.Contains(err.Error(), "cluster staging does not answer: connection refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// examples are what is needed of each action, and where the interesting part ends up.
func examples() map[string]map[string]any {
	return map[string]map[string]any{
		"PodChaos pod-kill": nil, "PodChaos pod-failure": nil, "PodChaos container-kill": nil,
		"NetworkChaos partition": {"direction": "to", "target": map[string]any{"app": "etcd"}},
		"NetworkChaos bandwidth": {"rate": "1mbps"}, "NetworkChaos delay": {"latency": "100ms"}, "NetworkChaos loss": {"loss": 10},
		"NetworkChaos duplicate": {"duplicate": 10}, "NetworkChaos corrupt": {"corrupt": 10, "externalTargets": []any{"shop.example", "10.0.0.0/8"}},
		"StressChaos cpu": {"workers": 2, "load": 50}, "StressChaos memory": {"size": "64MB"},
		"DNSChaos error": {"patterns": []any{"shop.example"}}, "DNSChaos random": nil,
		"HTTPChaos abort": {"port": 80}, "HTTPChaos delay": {"port": 80, "delay": "1s"},
		"HTTPChaos replace": {"port": 80, "target": "Response", "newCode": 500, "newBody": "no", "newHeaders": map[string]any{"X": "y"}},
		"HTTPChaos patch":   {"port": 80, "addHeaders": map[string]any{"X": "y"}},
		"IOChaos latency":   {"volumePath": "/data", "delay": "10ms", "methods": []any{"read"}}, "IOChaos fault": {"volumePath": "/data", "errno": 5},
		"IOChaos attrOverride": {"volumePath": "/data", "perm": 72}, "IOChaos mistake": {"volumePath": "/data"},
		"TimeChaos shift":  {"timeOffset": "-10m"},
		"JVMChaos latency": {"class": "a.B", "method": "c", "latency": 100}, "JVMChaos return": {"class": "a.B", "method": "c", "returnValue": "1"},
		"JVMChaos exception": {"class": "a.B", "method": "c", "exception": `java.io.IOException("BOOM")`}, "JVMChaos stress": {"cpuCount": 1},
		"JVMChaos gc": nil, "JVMChaos ruleData": {"ruleData": "RULE r\nENDRULE"}, "JVMChaos mysql": {"mysqlConnectorVersion": "8", "latency": 100},
		"KernelChaos fail": {"failtype": 0, "callchain": []any{"ext4_mount"}},
		"BlockChaos delay": {"volumeName": "data", "latency": "10ms"},
	}
}

// Chaos Mesh's own types refuse what they do not know, so this holds the table to them.
func TestEveryActionOfTheTableIsWhatChaosMeshKnows(t *testing.T) {
	written := examples()
	for _, k := range faults.Kinds() {
		if k.Refused != "" || k.Own {
			continue
		}
		for _, a := range k.Actions {
			name := k.Name + " " + a.Name
			with, ok := written[name]
			if !ok {
				t.Errorf("%s has no example", name)
				continue
			}
			o := order()
			o.Fault.Kind, o.Fault.Action, o.Fault.With = k.Name, a.Name, with
			if a.NeedsContainer {
				o.Container = "web"
			}
			obj, err := mesh.Object(o, "")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got, _ := json.Marshal(obj.Object)
			for _, want := range []string{`"pods":{"shop":["web-1"]}`, `"mode":"all"`, `"duration":"30s"`, `"seatrial.dev/action":"` + a.Name + `"`} {
				if !strings.Contains(string(got), want) {
					t.Errorf("%s: %s has no %s", name, got, want)
				}
			}
		}
	}
}

func TestWhatChaosMeshDoesNotCarryOutIsRefused(t *testing.T) {
	for _, kind := range []string{"ConnectionPool", "Exec", "AWSChaos", "Schedule", "Nothing"} {
		o := order()
		o.Fault.Kind = kind
		err := apiServer(t, 201, "", "").Inject(t.Context(), o)
		if c, ok := errors.AsType[*chaos.CannotInject](err); !ok || !c.Final || !strings.Contains(c.Cause, "not supported") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestWithoutServesEveryKindOfState(t *testing.T) {
	state := map[string]any{"spec": map[string]any{"rules": []any{
		map[string]any{"source": "shop/slow", "port": int64(80)}, map[string]any{"source": "shop/other", "port": int64(81)}}}}
	patch, changed := mesh.Without(state, "shop/slow", "rules")
	if got, _ := json.Marshal(patch); !changed || string(got) != `{"spec":{"rules":[{"port":81,"source":"shop/other"}]}}` {
		t.Errorf("%v %s", changed, got)
	}
}
