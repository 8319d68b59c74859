// Package rego asks policies written in rego about objects, by conftest's conventions:
// sets named deny, violation and warn in package main or in the policy's own.
//
// Start at Find, then Engine.Ask. It never answers "nothing found" for a policy that did
// not load, refers to something that is not there, is undefined or takes too long, and
// no policy can reach a network or the server's environment.
package rego

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/rego"
)

// Finding is one thing that a policy said about one object.
type Finding struct {
	Object    int // index into the objects that were read
	Rule      string
	Container string
	Why       string
	Fix       string
	Link      string
	Warn      bool // a warning, or excepted: it refuses nothing
}

// Answer is what a policy said about all objects.
type Answer struct {
	Rules    []string // that were asked
	Findings []Finding
	Failed   string // why there is no answer: whoever asked has to refuse
	At       int    // index of the object it failed at; -1 when it was not one object
}

// Objects are objects as rego sees them, read once for every policy.
type Objects []ast.Value

// Read reads objects. A policy sees each one by itself, as conftest has it, with what
// around says, and all objects, under the key "seatrial".
func Read(bodies []map[string]any, around map[string]any) (Objects, error) {
	values := make([]*ast.Term, 0, len(bodies))
	for _, body := range bodies {
		v, err := ast.InterfaceToValue(body)
		if err != nil {
			return nil, fmt.Errorf("an object does not read as JSON: %w", err)
		}
		values = append(values, ast.NewTerm(v))
	}
	about, err := ast.InterfaceToValue(around)
	if err != nil {
		return nil, err
	}
	about.(ast.Object).Insert(ast.StringTerm("objects"), ast.ArrayTerm(values...))
	out := make(Objects, 0, len(bodies))
	for _, v := range values {
		whole := ast.NewObject()
		v.Value.(ast.Object).Foreach(func(key, value *ast.Term) { whole.Insert(key, value) })
		whole.Insert(ast.StringTerm("seatrial"), ast.NewTerm(about))
		out = append(out, whole)
	}
	return out, nil
}

// Engine compiles each policy once, at its first use, and keeps a bounded number of
// them. It is safe for concurrent use.
type Engine struct {
	limit time.Duration

	mu    sync.Mutex // guards kept and order
	kept  map[[sha256.Size]byte]*compiled
	order [][sha256.Size]byte // of kept, the longest unused first
}

// maxKept is how many compiled policies stay in memory; each has some hundred KiB.
const maxKept = 64

// New is an engine that gives each policy limit for all objects of one question.
func New(limit time.Duration) *Engine {
	return &Engine{limit: limit, kept: map[[sha256.Size]byte]*compiled{}}
}

// Ask asks one policy about every object. The only error is the end of ctx.
func (e *Engine) Ask(ctx context.Context, s Source, objects Objects, now time.Time) (Answer, error) {
	c, err := e.compiled(ctx, s)
	if err != nil {
		return Answer{Failed: err.Error(), At: -1}, nil
	}
	answer := Answer{Rules: c.names(), At: -1}
	if c.err != nil {
		answer.Failed = fmt.Sprintf("policy %s does not load: %s", s.Name, c.err)
		return answer, nil
	}
	limited, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	for i, object := range objects {
		found, err := c.eval(limited, object, now)
		switch {
		case ctx.Err() != nil:
			return answer, fmt.Errorf("policy %s: %w", s.Name, ctx.Err())
		case limited.Err() != nil:
			answer.At, answer.Failed = i, fmt.Sprintf("policy %s had not answered after %s", s.Name, e.limit)
			return answer, nil
		case err != nil:
			answer.At, answer.Failed = i, fmt.Sprintf("policy %s gave no answer: %s", s.Name, err)
			return answer, nil
		}
		for _, f := range found {
			f.Object = i
			answer.Findings = append(answer.Findings, f)
		}
	}
	return answer, nil
}

func (e *Engine) compiled(ctx context.Context, s Source) (*compiled, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(text)
	e.mu.Lock()
	c, ok := e.kept[key]
	if !ok {
		c = &compiled{}
		e.kept[key] = c
	}
	e.order = append(slices.DeleteFunc(e.order, func(k [sha256.Size]byte) bool { return k == key }), key)
	if len(e.order) > maxKept {
		delete(e.kept, e.order[0])
		e.order = e.order[1:]
	}
	e.mu.Unlock()
	// Whoever comes first compiles for all, so its leaving must not spoil the result.
	c.once.Do(func() { c.err = c.compile(context.WithoutCancel(ctx), s) })
	return c, nil
}

// eval asks about one object. What an exception covers comes back as a warning.
func (c *compiled) eval(ctx context.Context, input ast.Value, now time.Time) ([]Finding, error) {
	answers, err := c.query.Eval(ctx, opa.EvalParsedInput(input), opa.EvalTime(now))
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, errors.New("its result is undefined")
	}
	result, ok := answers[0].Bindings["result"].(map[string]any)
	if !ok || len(result) != len(c.rules) {
		return nil, errors.New("its result is undefined")
	}
	excepted, err := exceptions(result["exception"])
	if err != nil {
		return nil, err
	}
	var out []Finding
	for _, rule := range c.rules {
		if rule.name == "exception" {
			continue
		}
		messages, ok := result[rule.name].([]any)
		if !ok {
			return nil, fmt.Errorf("rule %s is not a set", rule.name)
		}
		for _, m := range messages {
			p, err := rule.problem(m)
			if err != nil {
				return nil, err
			}
			if _, suffix, _ := strings.Cut(rule.name, "_"); slices.Contains(excepted, suffix) {
				p.Why, p.Warn = "excepted: "+p.Why, true
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// problem reads one message: text, or an object with msg and maybe remedy and link.
func (r rule) problem(message any) (Finding, error) {
	p := Finding{Rule: r.name, Fix: r.remedy, Link: r.link, Warn: strings.HasPrefix(r.name, "warn")}
	switch m := message.(type) {
	case string:
		p.Why = m
	case map[string]any:
		p.Why, _ = m["msg"].(string)
		if fix, ok := m["remedy"].(string); ok {
			p.Fix = fix
		}
		if container, ok := m["container"].(string); ok {
			p.Container = container
		}
	}
	if strings.TrimSpace(p.Why) == "" {
		return p, fmt.Errorf("rule %s gave %v, which is no message", r.name, message)
	}
	return p, nil
}

// exceptions reads conftest's exception rule: a set of lists of rule names without
// their prefix.
func exceptions(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	var out []string
	lists, ok := v.([]any)
	for _, list := range lists {
		names, isList := list.([]any)
		ok = ok && isList
		for _, name := range names {
			text, isText := name.(string)
			ok = ok && isText
			out = append(out, text)
		}
	}
	if !ok {
		return nil, errors.New("rule exception is not a set of lists of names")
	}
	return out, nil
}
