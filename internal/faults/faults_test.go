package faults_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/release"
)

func spec(t *testing.T, kind, action string, with map[string]any) (string, error) {
	t.Helper()
	k, a, err := faults.Of(release.Fault{Kind: kind, Action: action})
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Spec(a, "shop", with)
	b, _ := json.Marshal(s)
	return string(b), err
}

func TestSpecWritesEveryDefaultOut(t *testing.T) {
	for _, c := range []struct {
		name, kind, action string
		with               map[string]any
		want               string
	}{
		{"a delay has jitter, correlation and a direction", "NetworkChaos", "delay", map[string]any{"latency": "100ms"},
			`{"action":"delay","delay":{"correlation":"0","jitter":"0ms","latency":"100ms"},"direction":"to"}`},
		{"a percentage is text, whatever a person wrote", "NetworkChaos", "loss", map[string]any{"loss": 25, "correlation": "10%"},
			`{"action":"loss","direction":"to","loss":{"correlation":"10","loss":"25"}}`},
		{"an other end has a mode and a namespace", "NetworkChaos", "partition", map[string]any{"target": map[string]any{"app": "etcd"}},
			`{"action":"partition","direction":"to","target":{"mode":"all","selector":{"labelSelectors":{"app":"etcd"},"namespaces":["shop"]}}}`},
		{"of its own, when it is named", "NetworkChaos", "partition", map[string]any{"target": map[string]any{"app": "etcd"}, "targetNamespace": "shop-db"},
			`{"action":"partition","direction":"to","target":{"mode":"all","selector":{"labelSelectors":{"app":"etcd"},"namespaces":["shop-db"]}}}`},
		{"a bandwidth has a queue", "NetworkChaos", "bandwidth", map[string]any{"rate": "1mbps"},
			`{"action":"bandwidth","bandwidth":{"buffer":10000,"limit":20971520,"rate":"1mbps"},"direction":"to"}`},
		{"our word for an action stays out", "StressChaos", "cpu", nil, `{"stressors":{"cpu":{"load":100,"workers":1}}}`},
		{"an HTTP fault is for requests to all paths", "HTTPChaos", "abort", map[string]any{"port": 80}, `{"abort":true,"path":"*","port":80,"target":"Request"}`},
		{"a clock is named", "TimeChaos", "shift", map[string]any{"timeOffset": "-10m"}, `{"clockIds":["CLOCK_REALTIME"],"timeOffset":"-10m"}`},
		{"a number that came through JSON is a number", "StressChaos", "cpu", map[string]any{"workers": 2.0}, `{"stressors":{"cpu":{"load":100,"workers":2}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := spec(t, c.kind, c.action, c.with); err != nil || got != c.want {
				t.Errorf("%v\n%s\nwant\n%s", err, got, c.want)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, kind, action string
		with               map[string]any
		want               string
	}{
		{"a field that is missing", "NetworkChaos", "delay", nil, "with: delay needs latency: a duration like 100ms"},
		{"a field nobody knows", "PodChaos", "pod-failure", map[string]any{"signal": "KILL"}, "with.signal: pod-failure has no such field (there is: none)"},
		{"arguments for a program", "StressChaos", "cpu", map[string]any{"options": []any{"--exec", "x"}}, "with.options: cpu has no such field (there is: workers, load)"},
		{"a duration of an hour and more", "NetworkChaos", "delay", map[string]any{"latency": "2h"}, `with.latency: "2h": want a duration like 100ms`},
		{"a negative one", "NetworkChaos", "delay", map[string]any{"latency": "-1s"}, `with.latency: "-1s": want`},
		{"a percentage above 100", "NetworkChaos", "loss", map[string]any{"loss": "100.1"}, "want a percentage"},
		{"a percentage that is no number", "NetworkChaos", "loss", map[string]any{"loss": "NaN"}, "want a percentage"},
		{"half a worker", "StressChaos", "cpu", map[string]any{"workers": 1.5}, "want a whole number from 1 to 64"},
		{"a rate without a unit", "NetworkChaos", "bandwidth", map[string]any{"rate": "1000"}, "want a rate like 1mbps"},
		{"an empty other end", "NetworkChaos", "partition", map[string]any{"target": map[string]any{}}, "want labels like {app: etcd}, at least one"},
		{"a namespace of nobody", "NetworkChaos", "partition", map[string]any{"targetNamespace": "shop"}, "with.targetNamespace: only counts together with target"},
		{"an other end in both directions", "NetworkChaos", "partition", map[string]any{"target": map[string]any{"app": "db"}, "direction": "both"}, "no limit was checked for"},
		{"a shape in another direction", "NetworkChaos", "delay", map[string]any{"latency": "1ms", "direction": "from"}, `with.direction: "from": want one of to`},
		{"an address with words behind it", "NetworkChaos", "partition", map[string]any{"externalTargets": []any{"10.0.0.1 -j ACCEPT"}}, "want a list, each an address"},
		{"an override of nothing", "IOChaos", "attrOverride", map[string]any{"volumePath": "/data"}, "needs one of perm, size, uid, gid"},
		{"a relative folder", "IOChaos", "latency", map[string]any{"volumePath": "data", "delay": "1ms"}, "want an absolute path"},
		{"a header in a header", "HTTPChaos", "patch", map[string]any{"port": 80, "addHeaders": map[string]any{"X": "a\r\nY: b"}}, "want headers like"},
		{"an address where a secret's name belongs", "ConnectionPool", "limit", map[string]any{"database": "mysql", "dsnSecret": "root:x@tcp(db)/", "user": "app", "connections": 2},
			"the name of a secret, never the address itself"},
		{"no connection at all", "ConnectionPool", "limit", map[string]any{"database": "mysql", "dsnSecret": "db", "user": "app", "connections": 0}, "from 1 to 100000"},
		{"a command that nothing takes back", "Exec", "run", map[string]any{"command": []any{"touch", "/tmp/x"}}, "with: run needs revert: a list of text (numbers in quotes): the program that puts it back"},
		{"a shell's line", "Exec", "run", map[string]any{"command": "touch /tmp/x", "revert": []any{"rm", "/tmp/x"}}, `with.command: "touch /tmp/x": want a list`},
		{"a revert that runs nothing", "Exec", "run", map[string]any{"command": []any{"touch", "x"}, "revert": []any{}}, "with.revert: []: want a list"},
		{"a program without a name", "Exec", "run", map[string]any{"command": []any{"", "x"}, "revert": []any{"true"}}, "with.command: [ x]: want a list"},
		{"a number that YAML has read already", "Exec", "run", map[string]any{"command": []any{"chmod", 420, "x"}, "revert": []any{"true"}}, "numbers in quotes"},
		{"more than a mark can hold", "Exec", "run", map[string]any{"command": []any{"echo", strings.Repeat("x", 4096)}, "revert": []any{"true"}}, "with.command: [echo xxx"},
		{"a program that may hang for minutes", "Exec", "run", map[string]any{"command": []any{"a"}, "revert": []any{"b"}, "timeout": "5m"}, "want a duration from 1s to 20s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := spec(t, c.kind, c.action, c.with); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestWhatIsNotSupportedSaysWhy(t *testing.T) {
	for kind, want := range map[string]string{"AWSChaos": "machines of an account", "Schedule": "spec.schedule", "Workflow": "nothing would revert", "Chaos": "want one of PodChaos, "} {
		if _, _, err := faults.Of(release.Fault{Kind: kind}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestTheTableIsConsistent(t *testing.T) {
	for _, k := range faults.Kinds() {
		if (k.Refused == "") == (len(k.Actions) == 0) {
			t.Errorf("%s has %d actions and is refused: %q", k.Name, len(k.Actions), k.Refused)
		}
		for _, a := range k.Actions {
			names := a.FieldNames()
			if sorted := slices.Compact(slices.Sorted(slices.Values(names))); len(sorted) != len(names) {
				t.Errorf("%s %s has a field twice: %v", k.Name, a.Name, names)
			}
			for _, n := range append(slices.Clone(a.Any), a.Peer, a.PeerNamespace) {
				if n != "" && !slices.Contains(names, n) {
					t.Errorf("%s %s has no field %s", k.Name, a.Name, n)
				}
			}
			for _, f := range a.Fields {
				if wrong := a.Mistakes(map[string]any{f.Name: f.Default}); f.Default != nil && slices.ContainsFunc(wrong, func(m faults.Mistake) bool { return m.Field == f.Name }) {
					t.Errorf("%s %s: its own default of %s is refused: %v", k.Name, a.Name, f.Name, wrong)
				}
			}
		}
	}
	if once := []string{"pod-kill", "container-kill"}; !reflect.DeepEqual(once, oneShots()) {
		t.Errorf("%v are over at once, want %v", oneShots(), once)
	}
}

func oneShots() (all []string) {
	for _, k := range faults.Kinds() {
		for _, a := range k.Actions {
			if !faults.Lasts(k.Name, a.Name) {
				all = append(all, a.Name)
			}
		}
	}
	return all
}
