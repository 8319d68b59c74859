package contents

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
)

// maxLooked is how many bytes of a program are read for its build information, beyond
// which the scanner may try: the linker puts it where few are needed.
const maxLooked = 64 << 20

// file describes one regular file, reading it once.
func (r *reader) file(p string, size int64, body io.Reader, keepText bool) (*entry, error) {
	if r.described += size; r.described > r.opt.MaxBytes { // a sparse file is large without being read
		return nil, fmt.Errorf("over %d bytes: %w", r.opt.MaxBytes, ErrTooLarge)
	}
	var magic [4]byte
	n, err := io.ReadFull(body, magic[:min(size, 4)])
	if err != nil {
		return nil, err
	}
	elf := string(magic[:]) == "\x7fELF"
	e, sum, text := &entry{size: size, rest: elf || foreign(magic) || Scanned(p)}, sha256.New(), &bytes.Buffer{}
	to := io.Writer(sum)
	switch {
	case elf && size <= maxProgram:
		if err := r.rewind(); err != nil {
			return nil, err
		}
		to = io.MultiWriter(sum, r.spool)
	case keepText && size <= maxText && licenceName(p):
		to = io.MultiWriter(sum, text)
	}
	if _, err := to.Write(magic[:n]); err != nil {
		return nil, err
	}
	if r.buf == nil {
		r.buf = make([]byte, 256<<10)
	}
	if _, err := io.CopyBuffer(to, body, r.buf); err != nil {
		return nil, err
	}
	sum.Sum(e.sum[:0])
	e.text = text.Bytes()
	if elf && size <= maxProgram {
		e.info = buildInfo(&looking{from: io.NewSectionReader(r.spool, 0, size), left: maxLooked})
		e.rest = e.info == nil
	}
	return e, nil
}

// rewind makes room for the next program: reading build information jumps about.
func (r *reader) rewind() (err error) {
	if r.spool == nil {
		if r.spool, err = os.CreateTemp(r.opt.Temp, "program-*"); err != nil {
			return err
		}
	}
	_, err = r.spool.Seek(0, io.SeekStart)
	return err
}

// foreign says whether a file begins like a program of Windows or macOS.
func foreign(magic [4]byte) bool {
	switch string(magic[:]) {
	case "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe":
		return true
	}
	return bytes.HasPrefix(magic[:], []byte("MZ"))
}

// buildInfo is nil for whatever Go's own reader refuses. That reader promises nothing
// about hostile input, so a panic of it is a refusal, too.
func buildInfo(at io.ReaderAt) (info *buildinfo.BuildInfo) {
	defer func() {
		if recover() != nil {
			info = nil
		}
	}()
	info, err := buildinfo.Read(at)
	if err != nil {
		return nil
	}
	return info
}

// looking limits how much is read in all.
type looking struct {
	from io.ReaderAt
	left int64
}

// ReadAt reads, while that is allowed.
func (l *looking) ReadAt(p []byte, off int64) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, fmt.Errorf("build information further than %d bytes in: %w", maxLooked, ErrTooLarge)
	}
	return l.from.ReadAt(p, off)
}
