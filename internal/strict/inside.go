package strict

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Inside moves an issue of a text to the place within it: offset is in bytes of the text as
// it was decoded. Escapes, folded lines and blocks are followed back to the file.
func (is Issue) Inside(offset int) Issue {
	is.inside = offset + 1
	return is
}

// within is the line and the column of a scalar's offset; those of the scalar when its
// text cannot be found in the file.
func (d Document) within(n *yaml.Node, offset int) (line, column int) {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.Line < 1 || n.Line > len(d.lines) {
		return n.Line, n.Column
	}
	offset = max(0, min(offset, len(n.Value)))
	c := cursor{lines: d.lines, line: n.Line - 1, column: n.Column - 1}
	switch n.Style &^ yaml.TaggedStyle {
	case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
		c.quote = c.here()
		c.column++
	case yaml.LiteralStyle, yaml.FoldedStyle:
		c.block(n.Value)
	}
	for at, want := range n.Value {
		if !c.find(want) {
			return n.Line, n.Column
		}
		if at >= offset {
			return c.line + 1, c.column + 1
		}
		c.column += c.width
	}
	return c.line + 1, c.column + 1
}

// cursor walks the text of one scalar in the file.
type cursor struct {
	lines        []string
	line, column int  // from 0; the column in characters
	quote        rune // ' or "; 0: none
	indent       int  // of a block's lines
	width        int  // of what was found, in the file
}

const lineEnd = '\n'

func (c *cursor) rest() string {
	text := strings.TrimSuffix(c.lines[c.line], "\r")
	for range c.column {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return text
}

func (c *cursor) here() rune {
	if r, size := utf8.DecodeRuneInString(c.rest()); size > 0 {
		return r
	}
	return lineEnd
}

// block goes to the first line of a block scalar. Blanks that its text begins with are
// no indentation.
func (c *cursor) block(value string) {
	c.line++
	c.indent = max(0, blanks(c.lines[min(c.line, len(c.lines)):])-blanks(strings.Split(value, "\n")))
	c.column = c.indent
}

// blanks is how many begin the first line that has anything else.
func blanks(lines []string) int {
	for _, text := range lines {
		if trimmed := strings.TrimLeft(text, " "); strings.TrimSpace(trimmed) != "" {
			return len(text) - len(trimmed)
		}
	}
	return 0
}

// find goes on to the next place that stands for want.
func (c *cursor) find(want rune) bool {
	for c.line < len(c.lines) {
		got := c.here()
		folded := c.indent == 0 && strings.TrimSpace(c.rest()) == "" // blanks at a line's end fall away
		switch {
		case got == '\\' && c.quote == '"':
			if c.width = escape(c.rest()); c.width > 0 {
				return true
			}
			c.next() // the line goes on in the next one
		case got == want && got != lineEnd && !folded:
			c.width = 1
			if got == '\'' && c.quote == '\'' {
				c.width = 2
			}
			return true
		case (want == lineEnd || want == ' ') && (got == lineEnd || folded):
			c.next()
			c.width = 0
			return true
		case got == lineEnd || folded:
			c.next()
		default:
			return false
		}
	}
	return false
}

// next goes to the beginning of the next line's text.
func (c *cursor) next() {
	c.line, c.column = c.line+1, c.indent
	if c.line < len(c.lines) && c.indent == 0 {
		text := c.lines[c.line]
		c.column = len(text) - len(strings.TrimLeft(text, " \t"))
	}
}

// escape is how long the escape at the beginning of text is; 0: it only joins two lines.
func escape(text string) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}
