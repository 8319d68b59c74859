package live_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
)

var eventKind = kubetest.Kind{Group: "", Version: "v1", Kind: "Event", Resource: "events"}

// tell puts an event about an object onto the cluster.
func (y *yard) tell(name string, about types.UID, reason string) {
	y.Helper()
	for _, o := range parse(y.T, fmt.Sprintf("apiVersion: v1\nkind: Event\nmetadata: {name: %s, namespace: shop}\ninvolvedObject: {uid: %s}\nreason: %s\ntype: Warning\ncount: 3\nlastTimestamp: \"2026-11-27T12:00:00Z\"\n", name, about, reason)) {
		y.server.Put(o)
	}
}

func TestOnlyWhatTheTreeHasIsExplained(t *testing.T) {
	y := open(t, eventKind)
	y.synced(twoMaps)
	w := y.want(twoMaps)
	for _, o := range parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stranger, namespace: shop}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: root, namespace: kube-system}\ndata: {key: aHVudGVyMg==}\n") {
		y.server.Put(o)
	}
	y.tell("one", y.server.Get("ConfigMap", "shop", "a").GetUID(), "Ours")
	y.tell("two", y.server.Get("ConfigMap", "shop", "b").GetUID(), "OfAnother")
	got, err := y.live.Details(t.Context(), "prod", w, details.Ref{Kind: "ConfigMap", Namespace: "shop", Name: "a"})
	if err != nil || got.Missing || got.Problem != "" || len(got.Events) != 1 || got.Events[0].Reason != "Ours" || got.Events[0].Count != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	if strings.Contains(fmt.Sprintf("%+v", got), "blue") {
		t.Errorf("it shows what a ConfigMap holds: %+v", got)
	}
	for _, at := range []details.Ref{
		{Kind: "ConfigMap", Namespace: "shop", Name: "stranger"}, {Kind: "Secret", Namespace: "kube-system", Name: "root"},
		{Kind: "ConfigMap", Name: "a"}, {Kind: "Secret", Namespace: "shop", Name: "a"}, {Group: "apps", Kind: "ConfigMap", Namespace: "shop", Name: "a"}, {},
	} {
		if got, err := y.live.Details(t.Context(), "prod", w, at); err != nil || !got.Missing || len(got.Events) > 0 {
			t.Errorf("%+v: %+v, %v", at, got, err)
		}
	}
}

func TestEventsThatCannotBeReadHideNothingElse(t *testing.T) {
	y := open(t)
	y.synced(twoMaps)
	got, err := y.live.Details(t.Context(), "prod", y.want(twoMaps), details.Ref{Kind: "ConfigMap", Namespace: "shop", Name: "a"})
	if err != nil || got.Missing || !strings.Contains(got.Problem, "events could not be read") || got.Hint == "" {
		t.Errorf("%+v, %v", got, err)
	}
}
