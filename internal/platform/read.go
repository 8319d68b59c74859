package platform

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/strict"
)

// What a platform repo may hold at most. A repo of a thousand services is far below.
const (
	maxFiles     = 5000
	maxEntries   = 50_000 // files and folders walked over, other files included
	maxFileBytes = 256 << 10
	maxAllBytes  = 32 << 20
)

var errEnough = errors.New("limit met")

// read finds every YAML document, every policy and every health script. Folders and files whose name begins
// with a dot belong to git, the forge or editors and are passed over.
func (l *loader) read(fsys fs.FS) {
	l.complete = true
	walked, files, total := 0, 0, 0
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		walked++
		switch {
		case err != nil:
			return err
		case walked > maxEntries:
			return l.stop("more than %d files", maxEntries)
		case name != "." && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || !wanted(name):
			return nil
		case !e.Type().IsRegular():
			l.refuse(name, "is not a regular file: links are not followed")
			return nil
		}
		if files++; files > maxFiles {
			return l.stop("more than %d files of YAML, rego and Lua", maxFiles)
		}
		data, err := readFile(fsys, name)
		if err != nil {
			l.refuse(name, err.Error())
			return nil
		}
		if total += len(data); total > maxAllBytes {
			return l.stop("the files together are larger than %d bytes", maxAllBytes)
		}
		l.file(name, data)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		l.refuse(".", err.Error())
	}
	if l.complete && len(l.documents) == 0 {
		l.refuse(".", "holds no configuration: an empty tree would forget every environment")
	}
}

// wanted also takes .yml: to pass over a gate because of its file's name would be worse
// than to refuse it.
func wanted(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml":
		return true
	case ".rego":
		return strings.HasPrefix(name, policyFolder)
	case ".lua":
		return strings.HasPrefix(name, healthFolder)
	}
	return false
}

const (
	policyFolder = "policies/"
	healthFolder = "health/"
)

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("is larger than %d bytes", maxFileBytes)
	}
	return data, nil
}

func (l *loader) file(name string, data []byte) {
	for _, code := range []struct {
		ext, folder string
		into        map[string]string
	}{{".rego", policyFolder, l.policies}, {".lua", healthFolder, l.scripts}} {
		if path.Ext(name) != code.ext {
			continue
		}
		if !utf8.Valid(data) {
			l.refuse(name, "is not UTF-8")
		}
		code.into[strings.TrimPrefix(name, code.folder)] = string(data)
		return
	}
	docs, err := strict.Documents(name, data)
	if err != nil {
		l.problems = append(l.problems, strict.ProblemsOf(name, err)...)
		l.complete = false
	}
	l.documents = append(l.documents, docs...)
}

func (l *loader) refuse(name, message string) {
	l.problems = append(l.problems, strict.Problem{File: name, Message: message})
	l.complete = false
}

func (l *loader) stop(format string, args ...any) error {
	l.refuse(".", fmt.Sprintf(format, args...))
	return errEnough
}

func sorted(list []string) []string { slices.Sort(list); return list }
