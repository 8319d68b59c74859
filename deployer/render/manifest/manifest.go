// Package manifest reads files of YAML or JSON as the objects in them.
//
// Start at Split. It never passes content over in silence: what is not an object is an
// error that names the file and the document.
package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/internal/hint"
)

// Document is one object as a file has it. Whole numbers are int64.
type Document struct {
	File   string
	Index  int // in the file, from 1
	Object map[string]any
}

// Split reads the objects of a file; empty documents are skipped, a List is its items.
func Split(file string, data []byte, limit int) ([]Document, error) {
	data, err := Text(file, data)
	if err != nil {
		return nil, err
	}
	rd := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	var docs []Document
	for n := 1; ; n++ {
		raw, err := rd.Read()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, NotYAML(file, n, err)
		}
		more, err := decode(file, n, raw)
		if err != nil {
			return nil, err
		}
		if docs = append(docs, more...); len(docs) > limit {
			return nil, TooMany(file, limit)
		}
	}
}

// TooMany says that there are more objects than an API server should get at once.
func TooMany(file string, limit int) error {
	return hint.Add(fmt.Errorf("%s: more than %d objects, which is the limit for one service", file, limit), "split the service into several")
}

func decode(file string, n int, raw []byte) ([]Document, error) {
	if line := afterEnd(raw); line > 0 {
		return nil, NotYAML(file, n, fmt.Errorf("line %d: the document has ended at a line of three dots, and something follows", line))
	}
	text, err := yaml.YAMLToJSONStrict(raw)
	if err != nil {
		return nil, NotYAML(file, n, err)
	}
	var v any
	if err := utiljson.Unmarshal(text, &v); err != nil {
		return nil, NotYAML(file, n, err)
	}
	return objects(file, n, v)
}

// afterEnd finds content after the end of a document, which the parser would not read.
func afterEnd(raw []byte) int {
	ended := false
	for i, line := range bytes.Split(raw, []byte("\n")) {
		text := bytes.TrimSpace(line)
		switch {
		case ended && len(text) > 0 && text[0] != '#':
			return i + 1
		case bytes.HasPrefix(line, []byte("...")) && len(text) == 3:
			ended = true
		}
	}
	return 0
}

func objects(file string, n int, v any) ([]Document, error) {
	if v == nil {
		return nil, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, hint.Add(fmt.Errorf("%s: document %d is not an object but %s", file, n, kindOf(v)), "a manifest begins with apiVersion and kind")
	}
	kind, _ := m["kind"].(string)
	items, isList := m["items"].([]any)
	if !isList || !strings.HasSuffix(kind, "List") {
		return []Document{{File: file, Index: n, Object: m}}, nil
	}
	var docs []Document
	for _, it := range items {
		item, ok := it.(map[string]any)
		if !ok {
			return nil, hint.Add(fmt.Errorf("%s: document %d: the %s holds something that is not an object", file, n, kind), "list whole objects")
		}
		docs = append(docs, Document{File: file, Index: n, Object: item})
	}
	return docs, nil
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case []any:
		return "a list"
	}
	return "a value"
}

// NotYAML keeps what the parser says, the line above all.
func NotYAML(file string, n int, err error) error {
	text := OneLine(err)
	for _, prefix := range []string{"error converting YAML to JSON: ", "yaml: ", "unmarshal errors: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return hint.Add(fmt.Errorf("%s: document %d is not YAML: %s", file, n, text), "correct the file; `kubectl apply --dry-run=client -f` shows the same")
}

// OneLine is an error of a library on one line of bearable length.
func OneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > 400 {
		return strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}

type encoded struct {
	File   string          `json:"file"`
	Index  int             `json:"index"`
	Object json.RawMessage `json:"object"`
}

// Encode writes documents for Decode.
func Encode(docs []Document) ([]byte, error) {
	out := make([]encoded, len(docs))
	for i, d := range docs {
		raw, err := json.Marshal(d.Object)
		if err != nil {
			return nil, fmt.Errorf("%s: document %d cannot be written: %w", d.File, d.Index, err)
		}
		out[i] = encoded{d.File, d.Index, raw}
	}
	return json.Marshal(out)
}

// Decode reads what Encode wrote; the documents are the caller's own.
func Decode(data []byte) ([]Document, error) {
	var in []encoded
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("read rendered objects: %w", err)
	}
	docs := make([]Document, len(in))
	for i, e := range in {
		docs[i] = Document{File: e.File, Index: e.Index}
		if err := utiljson.Unmarshal(e.Object, &docs[i].Object); err != nil {
			return nil, fmt.Errorf("read rendered object %d of %s: %w", e.Index, e.File, err)
		}
	}
	return docs, nil
}
