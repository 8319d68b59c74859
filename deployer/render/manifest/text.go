package manifest

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/hint"
)

var mark = []byte("\xef\xbb\xbf")

// Text demands UTF-8 and takes a byte order mark off. What Windows tools like to write is
// called by its name.
func Text(file string, data []byte) ([]byte, error) {
	wide := bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})
	if n := min(len(data), 512); !wide && n >= 4 {
		wide = bytes.Count(data[:n], []byte{0}) >= n/3 // every second byte of Latin text
	}
	switch {
	case wide:
		return nil, hint.Add(fmt.Errorf("%s is written in UTF-16", file), "save it as UTF-8: iconv -f UTF-16 -t UTF-8")
	case bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data):
		return nil, hint.Add(fmt.Errorf("%s is not UTF-8 text", file), "save it as UTF-8, or keep it out of the folder")
	}
	return bytes.TrimPrefix(data, mark), nil
}
