// Package jsonnet evaluates main.jsonnet of a folder to objects.
//
// Start at Evaluate. Imports lead to files of the tree only; there are no native functions.
// It never sees anything that is not in the tree or a param.
package jsonnet

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/deployer/render/source"
	"github.com/seatrial/seatrial/internal/hint"
)

// Main is the file that a folder of Jsonnet begins with.
const Main = "main.jsonnet"

// maxCalls that may be open at once.
const maxCalls = 500

// Ask says what main.jsonnet is evaluated for.
type Ask struct {
	Params  map[string]string // external variables, and arguments where main is a function
	Objects int               // limit
	Bytes   int64             // limit of the result as JSON
}

// Evaluate gives the objects of main.jsonnet in dir: one, a list, or any nesting of both.
func Evaluate(files source.Files, dir string, ask Ask) ([]manifest.Document, error) {
	name := path.Join(dir, Main)
	vm := jsonnet.MakeVM()
	vm.MaxStack = maxCalls
	vm.SetTraceOut(io.Discard)
	vm.Importer(&importer{files: files, libraries: libraries(dir), known: map[string]jsonnet.Contents{}})
	for k, v := range ask.Params {
		vm.ExtVar(k, v)
	}
	node, _, err := vm.ImportAST("", name)
	if err != nil {
		return nil, explain(name, err)
	}
	for _, p := range parameters(node) {
		if v, ok := argument(ask.Params, string(p.Name)); ok {
			vm.TLAVar(string(p.Name), v)
		} else if p.DefaultArg == nil {
			return nil, hint.Add(fmt.Errorf("%s is a function of %s, and no param is called so", name, p.Name), "give the parameter a default, or have the environment set the param")
		}
	}
	text, err := vm.Evaluate(node)
	if err != nil {
		return nil, explain(name, errors.New(vm.ErrorFormatter.Format(err)))
	}
	if int64(len(text)) > ask.Bytes {
		return nil, source.TooBig(name, source.Limits{Bytes: ask.Bytes, Files: 1})
	}
	var v any
	if err := utiljson.Unmarshal([]byte(text), &v); err != nil {
		return nil, explain(name, err)
	}
	c := collector{file: name, limit: ask.Objects}
	return c.docs, errors.Join(c.collect(v, ""), c.none())
}

// argument is the param of a name; what the platform says of itself goes without prefix.
func argument(params map[string]string, name string) (string, bool) {
	if v, ok := params[name]; ok {
		return v, true
	}
	v, ok := params["seatrial."+name]
	return v, ok
}

// parameters are those of a main that is a function, below its local definitions.
func parameters(node ast.Node) []ast.Parameter {
	for {
		switch n := node.(type) {
		case *ast.Local:
			node = n.Body
		case *ast.Function:
			return n.Parameters
		default:
			return nil
		}
	}
}

// collector finds the objects in whatever main evaluates to.
type collector struct {
	file  string
	limit int
	docs  []manifest.Document
}

func (c *collector) collect(v any, at string) error {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		for i, e := range v {
			if err := c.collect(e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		_, version := v["apiVersion"].(string)
		_, kind := v["kind"].(string)
		items, list := v["items"].([]any)
		switch {
		case version && kind && list && strings.HasSuffix(v["kind"].(string), "List"):
			return c.collect(items, at)
		case version && kind:
			if len(c.docs) >= c.limit {
				return manifest.TooMany(c.file, c.limit)
			}
			c.docs = append(c.docs, manifest.Document{File: strings.TrimRight(c.file+" "+strings.TrimPrefix(at, "."), " "), Index: len(c.docs) + 1, Object: v})
			return nil
		}
		return c.below(v, at)
	}
	return hint.Add(fmt.Errorf("%s: %s is neither an object nor a list of objects", c.file, orRoot(at)), "let main.jsonnet evaluate to objects with apiVersion and kind, in lists or under names")
}

func (c *collector) below(v map[string]any, at string) error {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c.collect(v[name], at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) none() error {
	if len(c.docs) > 0 {
		return nil
	}
	return hint.Add(fmt.Errorf("%s evaluates to no object", c.file), "let main.jsonnet evaluate to objects with apiVersion and kind")
}

func orRoot(at string) string {
	if at == "" {
		return "the result"
	}
	return strings.TrimPrefix(at, ".")
}

func explain(name string, err error) error {
	if h := hint.Of(err); h != "" {
		return err
	}
	return hint.Add(fmt.Errorf("render %s: %s", name, manifest.OneLine(err)), "`jsonnet -J vendor -J lib "+name+"` shows the same")
}
