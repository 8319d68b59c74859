package helm

import (
	"io/fs"
	"time"

	"github.com/seatrial/seatrial/deployer/render/source"
)

// info is an entry as patterns of .helmignore see it.
type info struct{ entry source.Entry }

var _ fs.FileInfo = info{}

// Name is that within its folder.
func (i info) Name() string { return i.entry.Name }

// Size is not asked for.
func (i info) Size() int64 { return 0 }

// Mode tells files from folders.
func (i info) Mode() fs.FileMode {
	if i.entry.Dir {
		return fs.ModeDir
	}
	return 0
}

// ModTime is not asked for.
func (i info) ModTime() time.Time { return time.Time{} }

// IsDir tells files from folders.
func (i info) IsDir() bool { return i.entry.Dir }

// Sys is nothing.
func (i info) Sys() any { return nil }
