package trial_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/e2e/bench/trial"
)

// program is a script that writes n rules to the file after --out.
func program(t *testing.T, path string, n string) {
	t.Helper()
	script := "#!/bin/sh\nwhile [ \"$1\" != --out ]; do shift; done\n: > \"$2\"\nfor i in $(seq " + n + "); do echo '- record: x' >> \"$2\"; done\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestASideThatDoesNotDoItsWorkIsNotMeasured(t *testing.T) {
	for rules, want := range map[string]string{"20": "", "3": "has only 3 rules for 2 SLOs"} {
		dir := t.TempDir()
		program(t, filepath.Join(dir, "seatrial"), "20")
		program(t, filepath.Join(dir, "sloth"), rules)
		r, err := trial.Run(t.Context(), trial.Config{Bin: dir, Sloth: filepath.Join(dir, "sloth"), Dir: filepath.Join(dir, "work"), SLOs: 2, Runs: 3, Only: "rules"}, io.Discard)
		if want == "" && (err != nil || len(r.Figures) != 1 || r.Figures[0].Ratio == nil || r.Figures[0].Met == nil) {
			t.Errorf("%s rules: %+v %v", rules, r, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s rules: %v, want %s", rules, err, want)
		}
	}
}
