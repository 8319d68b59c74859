package vault_test

import (
	"fmt"
	"testing"

	"github.com/seatrial/seatrial/web/vault"
	"github.com/seatrial/seatrial/web/vault/vaulttest"
)

func TestTheVaultInMemoryKeepsTheContract(t *testing.T) {
	vaulttest.Run(t, func(*testing.T) vault.Vault { return vaulttest.New() })
}

func TestEachSeesEveryRecordOnce(t *testing.T) {
	v := vaulttest.New()
	for i := range 450 {
		if err := vault.Write(t.Context(), v, fmt.Sprintf("n/%03d", i), i, 0); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	err := vault.Each(t.Context(), v, "n/", func(r vault.Record) error {
		if want := fmt.Sprintf("n/%03d", seen); r.Key != want {
			t.Errorf("key %s, want %s", r.Key, want)
		}
		seen++
		return nil
	})
	if err != nil || seen != 450 {
		t.Errorf("saw %d, %v", seen, err)
	}
}
