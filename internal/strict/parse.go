package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var syntaxLine = regexp.MustCompile(`^line (\d+): `)

// parse turns bytes into document roots. Size and encoding are checked before the YAML
// parser sees a byte.
func parse(file string, data []byte, limits Limits) ([]*yaml.Node, []Problem) {
	if p := checkBytes(data, limits); p != nil {
		p.File = file
		return nil, []Problem{*p}
	}
	var roots []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, []Problem{syntaxProblem(file, data, err)}
		}
		if len(doc.Content) == 1 && !isBlank(doc.Content[0]) {
			roots = append(roots, doc.Content[0])
		}
	}
	if len(roots) == 0 {
		return nil, []Problem{{File: file, Line: 1, Column: 1, Message: "is empty: a YAML document is wanted"}}
	}
	return roots, nil
}

// isBlank reports whether nothing stands between two document markers.
func isBlank(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Tag == "!!null"
}

func checkBytes(data []byte, limits Limits) *Problem {
	if len(data) > limits.Bytes {
		return &Problem{Message: fmt.Sprintf("is %d bytes: at most %d are read", len(data), limits.Bytes)}
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return &Problem{Line: 1, Column: 1, Message: "is UTF-16: save it as UTF-8"}
	}
	for i, rest := 0, data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			return problemAt(data, i, fmt.Sprintf("byte 0x%02x is not UTF-8: save the file as UTF-8", rest[0]))
		case r == 0:
			return problemAt(data, i, "is a NUL byte: binary or UTF-16 files are not read, save it as UTF-8")
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85:
			return problemAt(data, i, fmt.Sprintf("control character %U is not allowed", r))
		}
		i, rest = i+size, rest[size:]
	}
	return nil
}

func problemAt(data []byte, offset int, message string) *Problem {
	before := data[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return &Problem{
		Line:    bytes.Count(before, []byte{'\n'}) + 1,
		Column:  utf8.RuneCount(before[start:]) + 1,
		Message: message,
	}
}

// syntaxProblem reads the line out of the parser's message, the only place that has it.
func syntaxProblem(file string, data []byte, err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	p := Problem{File: file, Line: 1, Column: 1, Message: "not YAML: " + text}
	m := syntaxLine.FindStringSubmatch(text)
	if m == nil {
		return p
	}
	line, _ := strconv.Atoi(m[1])
	p.Line, p.Message = line, "not YAML: "+strings.TrimPrefix(text, m[0])
	lines := bytes.Split(data, []byte{'\n'})
	if line <= len(lines) {
		p.Column = len(lines[line-1]) - len(bytes.TrimLeft(lines[line-1], " \t")) + 1
	}
	return p
}

// tree walks a document as it would be with every alias written out.
type tree struct {
	file     string
	limits   Limits
	nodes    int
	open     map[*yaml.Node]bool // anchors we are inside of
	checked  map[*yaml.Node]bool // mappings whose keys were looked at: an alias does not repeat problems
	problems []Problem
}

func checkTrees(file string, roots []*yaml.Node, limits Limits) []Problem {
	t := tree{file: file, limits: limits, open: map[*yaml.Node]bool{}, checked: map[*yaml.Node]bool{}}
	for _, root := range roots {
		if !t.walk(root, 1) {
			break
		}
	}
	return t.problems
}

func (t *tree) problem(n *yaml.Node, format string, args ...any) {
	t.problems = append(t.problems, Problem{File: t.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

// walk reports false when a limit was met and nothing more may be looked at.
func (t *tree) walk(n *yaml.Node, depth int) bool {
	t.nodes++
	if t.nodes > t.limits.Nodes {
		t.problem(n, "more than %d values once aliases are followed", t.limits.Nodes)
		return false
	}
	if depth > t.limits.Depth {
		t.problem(n, "nested deeper than %d levels", t.limits.Depth)
		return false
	}
	if n.Kind == yaml.AliasNode {
		return t.walkAlias(n, depth)
	}
	if n.Style&yaml.TaggedStyle != 0 && !strings.HasPrefix(n.ShortTag(), "!!") {
		t.problem(n, "tag %s is not supported", n.Tag)
	}
	if n.Kind == yaml.MappingNode && !t.checked[n] {
		t.checked[n] = true
		t.keys(n)
	}
	for _, c := range n.Content {
		if !t.walk(c, depth+1) {
			return false
		}
	}
	return true
}

func (t *tree) walkAlias(n *yaml.Node, depth int) bool {
	if t.open[n.Alias] {
		t.problem(n, "alias *%s contains itself", n.Value)
		return false
	}
	t.open[n.Alias] = true
	defer delete(t.open, n.Alias)
	return t.walk(n.Alias, depth)
}

func (t *tree) keys(n *yaml.Node) {
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			t.problem(key, "a key has to be text")
			continue
		case key.Tag == "!!merge":
			t.problem(key, "merge keys (<<) are not supported: write the fields out")
			continue
		case !isText(key):
			t.problem(key, "key %s is %s: write it in quotes", key.Value, describe(key))
			continue
		}
		if line, twice := first[key.Value]; twice {
			t.problem(key, "key %q is already on line %d", key.Value, line)
			continue
		}
		first[key.Value] = key.Line
	}
}
