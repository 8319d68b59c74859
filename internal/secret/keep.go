package secret

import (
	"errors"
	"os"
	"path/filepath"
)

// Keep replaces a file as a whole, readable for its owner alone, and is on disk when it
// returns.
func Keep(file string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".keep-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // nothing is there once it has its name
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
