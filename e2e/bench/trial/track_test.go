package trial

import (
	"io"
	"testing"

	"github.com/seatrial/seatrial/internal/kube/kubetest"
)

// The figures of the real thing come from the lab; here it is held that the bench measures what it says.
func TestFaultsAreTrackedWithoutAskingForEach(t *testing.T) {
	kind := func(name, resource string) kubetest.Kind {
		return kubetest.Kind{Group: "chaos-mesh.org", Version: "v1alpha1", Kind: name, Resource: resource}
	}
	server := kubetest.New(t, kind("PodChaos", "podchaos"), kind("StressChaos", "stresschaos"))
	const many = 60
	r, err := track(t.Context(), t.TempDir(), &gate{to: server}, many, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Figures {
		t.Logf("%s: %v %s", f.Case, f.Value, f.Unit)
		if f.Met != nil && !*f.Met {
			t.Errorf("%s: %v %s, want %s", f.Case, f.Value, f.Unit, f.Target)
		}
	}
	if before := r.Figures[0].AgainstValue; before == nil || *before != many {
		t.Errorf("one by one took %v requests", before)
	}
	for _, name := range []string{"seatrial-track-0", "seatrial-track-1", "seatrial-track-59"} {
		if server.Get("PodChaos", water, name) != nil || server.Get("StressChaos", water, name) != nil {
			t.Errorf("%s is left", name)
		}
	}
}
