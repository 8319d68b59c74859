package buildkitd

import (
	"strings"
	"testing"
)

func TestTheSettingsFitTheMachine(t *testing.T) {
	text := Limits{PlainHTTP: []string{"r.example:5000"}, Mirrors: map[string]string{"docker.io": "r.example:5000"}}.text(machine{processors: 2, diskBytes: 100 * gb})
	for _, want := range []string{"max-parallelism = 2\n", `maxUsedSpace = "20GB"`, `minFreeSpace = "5GB"`,
		"[frontend.\"gateway.v0\"]\n  enabled = false", "[registry.\"docker.io\"]\n  mirrors = [\"r.example:5000\"]", "[registry.\"r.example:5000\"]\n  http = true"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if many := (Limits{}).text(machine{processors: 128, diskBytes: gb}); !strings.Contains(many, "max-parallelism = 16\n") {
		t.Errorf("128 processors on a small disk: %s", many)
	}
}
