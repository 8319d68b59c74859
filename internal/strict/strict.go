// Package strict reads YAML that people wrote: nothing is guessed, nothing is ignored,
// and every mistake points at its file, line and column.
//
// Start at Documents, or at Decode for one document of a known shape. Rules beyond the
// shape ("this environment does not exist") are Issues with a path; Document.Problems
// finds the line. It never reads files itself and never expands more than Limits allow.
package strict

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits bound what one file may cost, before and after its aliases are followed. A zero
// field means the default.
type Limits struct {
	Bytes int // of the file; default 256 KiB
	Nodes int // values and keys, every use of an alias counted again; default 10,000
	Depth int // of nesting; default 50
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 256 << 10
	}
	if l.Nodes == 0 {
		l.Nodes = 10_000
	}
	if l.Depth == 0 {
		l.Depth = 50
	}
	return l
}

// Validator is a type with rules beyond its shape. Decode asks it once the shape is right.
type Validator interface {
	Validate() []Issue
}

// Document is one YAML document whose keys are known to be unique and whose size is
// known to be bounded.
type Document struct {
	APIVersion string
	Kind       string
	Name       string // metadata.name
	File       string
	Line       int // where the document's content begins

	root  *yaml.Node
	lines []string // of the whole file
}

// Text is the text at a path of keys; empty when there is none.
func (d Document) Text(path ...string) string { return textAt(d.root, path...) }

// Decode reads the one document of a file into out, a pointer to a struct with json
// tags that may hold defaults already. The error is an *Error with every problem found.
func Decode(file string, data []byte, limits Limits, out any) error {
	doc, err := Parse(file, data, limits)
	if err != nil {
		return err
	}
	if err := doc.decode(out, nil); err != nil {
		return err
	}
	if v, ok := out.(Validator); ok {
		return Join(doc.Problems(v.Validate()...))
	}
	return nil
}

// Parse reads a file that has to hold exactly one document.
func Parse(file string, data []byte, limits Limits) (Document, error) {
	docs, err := documents(file, data, limits)
	if err != nil {
		return Document{}, err
	}
	if len(docs) > 1 {
		at := docs[1].root
		return Document{}, Join([]Problem{{File: file, Line: at.Line, Column: at.Column, Message: "a second document begins here: only one is wanted"}})
	}
	return docs[0], nil
}

// Documents reads every document of a file within the default limits.
func Documents(file string, data []byte) ([]Document, error) {
	return documents(file, data, Limits{})
}

func documents(file string, data []byte, limits Limits) ([]Document, error) {
	limits = limits.withDefaults()
	roots, problems := parse(file, data, limits)
	if len(problems) == 0 {
		problems = checkTrees(file, roots, limits)
	}
	if len(problems) > 0 {
		return nil, Join(problems)
	}
	docs, lines := make([]Document, 0, len(roots)), strings.Split(string(data), "\n")
	for _, root := range roots {
		docs = append(docs, Document{
			APIVersion: textAt(root, "apiVersion"),
			Kind:       textAt(root, "kind"),
			Name:       textAt(root, "metadata", "name"),
			File:       file,
			Line:       root.Line,
			root:       root,
			lines:      lines,
		})
	}
	return docs, nil
}

// Decode reads the document into out, a pointer to a struct with json tags or to an any.
// apiVersion and kind are accepted even when the struct has no field for them: the
// caller chose the struct by them.
func (d Document) Decode(out any) error {
	return d.decode(out, []string{"apiVersion", "kind"})
}

func (d Document) decode(out any, ignored []string) error {
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic("strict: Decode needs a pointer that is not nil")
	}
	dec := decoder{file: d.File, ignored: ignored}
	dec.value(d.root, v.Elem(), "")
	return Join(dec.problems)
}
