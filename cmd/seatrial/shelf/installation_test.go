package shelf_test

import (
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/store/bolt"
)

func TestAnInstallationKeepsItsNameAndSharesItWithNobody(t *testing.T) {
	names := map[string]bool{}
	for range 2 {
		file, before := filepath.Join(t.TempDir(), "store.db"), ""
		for range 2 {
			db, err := bolt.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := shelf.Installation(t.Context(), db)
			if err != nil || len(validation.IsValidLabelValue(name)) > 0 || name == "" || before != "" && name != before {
				t.Errorf("%q after %q, %v", name, before, err)
			}
			before = name
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		names[before] = true
	}
	if len(names) != 2 {
		t.Errorf("two installations are called %v", names)
	}
}
