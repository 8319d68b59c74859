package registries_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	docker "github.com/docker/cli/cli/config"

	"github.com/seatrial/seatrial/cmd/seatrial/registries"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
)

func TestACommandAsksWithTheLoginThatDockerHas(t *testing.T) {
	server := ocitest.New(t, true)
	a := server.Push(t, "shop/web", "v1", "linux/amd64")
	server.SignIn(false, "", ocitest.Login{User: "ann", Password: "a long password", Repositories: "shop/"})
	dir := t.TempDir()
	docker.SetDir(dir)
	read := func() error {
		reg, err := registries.Open(true, server.Host, server.Host, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = reg.Open(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
		return err
	}
	if err := read(); err == nil {
		t.Error("read without a login")
	}
	config := fmt.Appendf(nil, `{"auths":{%q:{"auth":"YW5uOmEgbG9uZyBwYXNzd29yZA=="}}}`, server.Host)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := read(); err != nil {
		t.Errorf("read with the login: %v", err)
	}
}
