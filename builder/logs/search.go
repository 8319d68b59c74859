package logs

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/seatrial/seatrial/release"
)

const (
	maxLooked = 2 << 20 // bytes of a log that one search looks at
	maxFound  = 1000    // lines that one search answers with
)

// Found is what a part of a log answers to a search.
type Found struct {
	Lines []Line
	After int64 // where to go on; 0: all that was written so far has been looked at
}

// Search looks for a text, as it stands and in whichever letter case, in the lines of a
// log and in the names of their steps, and finds up to limit lines. It begins where the
// call before it stopped, at after, and looks at a bounded part of the log.
func (b *Book) Search(ctx context.Context, id release.ID, text string, after int64, limit int) (Found, error) {
	found := Found{Lines: []Line{}}
	name, err := fileName(id)
	if err != nil {
		return found, err
	}
	if limit <= 0 || limit > maxFound {
		limit = maxFound
	}
	f, err := b.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return found, ctx.Err()
	}
	if err != nil {
		return found, fmt.Errorf("log of %s: %w", id, err)
	}
	defer f.Close()
	in, at, err := from(f, after)
	wanted := strings.ToLower(text)
	for end := at + maxLooked; err == nil && at < end && len(found.Lines) < limit; {
		var raw []byte
		if raw, err = in.ReadBytes('\n'); err != nil { // the end, or a line that is being written
			break
		}
		at += int64(len(raw))
		var l Line
		if json.Unmarshal(raw, &l) == nil && (has(l.Text, wanted) || has(l.Step, wanted)) {
			found.Lines = append(found.Lines, l)
		}
	}
	if err != nil && err != io.EOF {
		return found, fmt.Errorf("log of %s: %w", id, err)
	}
	if _, e := in.Peek(1); err == nil && e == nil {
		found.After = at
	}
	return found, ctx.Err()
}

// from is the log from the line on that begins at a place, or, when none begins there,
// from the next one on; and the place where that is.
func from(f *os.File, after int64) (*bufio.Reader, int64, error) {
	in := bufio.NewReaderSize(f, 64<<10)
	if after <= 0 {
		return in, 0, nil
	}
	st, err := f.Stat()
	if err != nil || after > st.Size() {
		return in, after, cmp.Or(err, io.EOF)
	}
	if _, err := f.Seek(after-1, io.SeekStart); err != nil {
		return in, after, err
	}
	rest, err := in.ReadBytes('\n')
	return in, after - 1 + int64(len(rest)), err
}

func has(text, lower string) bool { return strings.Contains(strings.ToLower(text), lower) }
