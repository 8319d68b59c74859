package rego

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/rego"
)

// compiled is one rego policy, ready to be asked from many goroutines.
type compiled struct {
	once  sync.Once
	err   error // why it does not load
	rules []rule
	query opa.PreparedEvalQuery
}

// rule is one rule that is asked, and what its METADATA says about it.
type rule struct {
	name   string
	remedy string
	link   string
}

func (c *compiled) names() []string {
	var out []string
	for _, r := range c.rules {
		out = append(out, r.name)
	}
	return out
}

var ruleName = regexp.MustCompile(`^(deny|violation|warn)(_\w+)?$|^exception$`)

// compile loads the policy and proves what rego would silently pass over: that it has
// rules in the expected package, that they are sets, and that everything they refer to
// exists.
func (c *compiled) compile(ctx context.Context, s Source) error {
	able := capabilities()
	options := ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: able}
	modules := map[string]*ast.Module{}
	for file, text := range s.Helpers {
		m, err := ast.ParseModuleWithOpts(file, text, options)
		if err != nil {
			return fmt.Errorf("helper: %w", err)
		}
		modules[file] = m
	}
	own, err := ast.ParseModuleWithOpts(s.File, s.Text, options)
	if err != nil {
		return err
	}
	if own == nil {
		return errors.New("the file is empty")
	}
	modules[s.File] = own
	if err := rightPackage(own, s.Name); err != nil {
		return err
	}
	if c.rules, err = rulesOf(own); err != nil {
		return err
	}
	compiler := ast.NewCompiler().WithCapabilities(able)
	if compiler.Compile(modules); compiler.Failed() {
		return compiler.Errors
	}
	if err := dangling(compiler); err != nil {
		return err
	}
	var fields []string
	for _, r := range c.rules {
		fields = append(fields, fmt.Sprintf("%q: %s.%s", r.name, own.Package.Path, r.name))
	}
	c.query, err = opa.New(
		opa.Query("result := {"+strings.Join(fields, ", ")+"}"),
		opa.Compiler(compiler), opa.Capabilities(able), opa.StrictBuiltinErrors(true),
	).PrepareForEval(ctx)
	return err
}

// capabilities are rego's builtins without those that reach the network or the server's
// environment, or that answer the same question differently tomorrow. The two for JSON
// schemas fetch what a schema's $ref names, whatever AllowNet says.
func capabilities() *ast.Capabilities {
	able := ast.CapabilitiesForThisVersion()
	able.Builtins = slices.DeleteFunc(able.Builtins, func(b *ast.Builtin) bool {
		switch b.Name {
		case "http.send", "net.lookup_ip_addr", "json.match_schema", "json.verify_schema", "opa.runtime", "rand.intn", "uuid.rfc4122":
			return true
		}
		return false
	})
	able.AllowNet = []string{} // nil would mean every host
	return able
}

// rightPackage wants main, or the policy's own name with underscores for dashes.
func rightPackage(m *ast.Module, name string) error {
	want := strings.ReplaceAll(name, "-", "_")
	if path := m.Package.Path; len(path) == 2 {
		if got, ok := path[1].Value.(ast.String); ok && (got == "main" || strings.ReplaceAll(string(got), "-", "_") == want) {
			return nil
		}
	}
	return fmt.Errorf("its package is %s, want main or %s", strings.TrimPrefix(m.Package.Path.String(), "data."), want)
}

// rulesOf lists the rules to ask, in order of their names.
func rulesOf(m *ast.Module) ([]rule, error) {
	found := map[string]rule{}
	judges := false
	for _, r := range m.Rules {
		name := r.Head.Ref()[0].String()
		if !ruleName.MatchString(name) {
			continue
		}
		if len(r.Head.Ref()) != 1 || r.Head.RuleKind() != ast.MultiValue || len(r.Head.Args) > 0 {
			return nil, fmt.Errorf("%s: rule %s is not a set: write %s contains msg if { … }", r.Location, name, name)
		}
		judges = judges || name != "exception"
		found[name] = rule{name: name}
	}
	if !judges {
		return nil, errors.New("it has no rule named deny, violation or warn")
	}
	var out []rule
	for _, name := range slices.Sorted(maps.Keys(found)) {
		out = append(out, describeRule(m, name))
	}
	return out, nil
}

// describeRule takes remedy and link from the rule's METADATA, else from the package's.
func describeRule(m *ast.Module, name string) rule {
	r := rule{name: name}
	for _, scope := range []string{"package", "document", "rule"} {
		for _, a := range m.Annotations {
			if a.Scope != scope || scope != "package" && !strings.HasSuffix(a.GetTargetPath().String(), "."+name) {
				continue
			}
			if remedy, ok := a.Custom["remedy"].(string); ok {
				r.remedy = remedy
			}
			if len(a.RelatedResources) > 0 {
				r.link = a.RelatedResources[0].Ref.String()
			}
		}
	}
	return r
}

// dangling finds references to data that no file defines. Rego takes them for
// undefined, so that the rule around them never fires.
func dangling(c *ast.Compiler) error {
	var err error
	for _, file := range slices.Sorted(maps.Keys(c.Modules)) {
		ast.WalkRefs(c.Modules[file], func(ref ast.Ref) bool {
			fixed := ref.ConstantPrefix()
			if err != nil || len(fixed) < 2 || !fixed[0].Equal(ast.DefaultRootDocument) {
				return false
			}
			if m := c.Modules[file]; ref.Equal(m.Package.Path) {
				return false
			}
			if len(c.GetRulesWithPrefix(fixed)) == 0 && len(c.GetRulesForVirtualDocument(fixed)) == 0 {
				err = fmt.Errorf("%s: %s is defined nowhere", ref[0].Location, ref)
			}
			return false
		})
	}
	return err
}
