package build

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/oci"
)

func TestARebasedImageIsSaidToBeUnsigned(t *testing.T) {
	image := oci.Ref{Repository: "registry.example/shop/web", Tag: "v1"}
	if said := unsigned(image, oci.Rebased{From: "sha256:a", To: "sha256:b", Digest: "sha256:c"}); !strings.Contains(said, "is not signed") || !strings.Contains(said, "cosign sign --key KEY registry.example/shop/web@sha256:c\n") {
		t.Errorf("said %q", said)
	}
	if said := unsigned(image, oci.Rebased{From: "sha256:a", To: "sha256:a"}); said != "" {
		t.Errorf("of an image that is as it was: %q", said)
	}
}
