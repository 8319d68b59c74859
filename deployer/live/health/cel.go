package health

import (
	"errors"
	"fmt"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// What one expression may use: cost is CEL's own measure, about one per step.
const (
	celCost = 1_000_000
	celText = 4096 // bytes of one expression
)

// expressions are what an environment says about one kind. failed and inProgress may be
// nil.
type expressions struct{ current, failed, inProgress cel.Program }

// fields are the parts of an object that an expression may name.
var fields = []string{"apiVersion", "kind", "metadata", "spec", "status", "data"}

func compileExpressions(e release.HealthExpr) (*expressions, error) {
	opts := []cel.EnvOption{cel.OptionalTypes(), ext.Strings(), cel.ParserExpressionSizeLimit(celText)}
	for _, f := range fields {
		opts = append(opts, cel.Variable(f, cel.DynType))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, err
	}
	if e.Current == "" {
		return nil, hint.Add(errors.New("current is empty"), "write what is true of a healthy object")
	}
	x := &expressions{}
	for name, part := range map[string]struct {
		text string
		to   *cel.Program
	}{"current": {e.Current, &x.current}, "failed": {e.Failed, &x.failed}, "inProgress": {e.InProgress, &x.inProgress}} {
		if part.text == "" {
			continue
		}
		ast, issues := env.Compile(part.text)
		if issues.Err() != nil {
			return nil, hint.Add(fmt.Errorf("%s: %s", name, oneLine(issues.Err())), "it is CEL over the object's metadata, spec, status and data")
		}
		if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
			return nil, hint.Add(fmt.Errorf("%s: is a %s", name, t), "it has to be true or false")
		}
		if *part.to, err = env.Program(ast, cel.CostLimit(celCost), cel.EvalOptions(cel.OptOptimize)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return x, nil
}

// ask asks whether the object is on its way, has failed or is current, in this order; none
// of them means that it is on its way. So does an expression that cannot be evaluated:
// what it looks at may not be there yet.
func (x *expressions) ask(o *unstructured.Unstructured) (*health.HealthStatus, error) {
	given := map[string]any{}
	for _, f := range fields {
		given[f] = map[string]any{}
		if v, ok := o.Object[f]; ok {
			given[f] = v
		}
	}
	for _, part := range []struct {
		name string
		code cel.Program
		says health.HealthStatusCode
	}{
		{"inProgress", x.inProgress, health.HealthStatusProgressing},
		{"failed", x.failed, health.HealthStatusDegraded},
		{"current", x.current, health.HealthStatusHealthy},
	} {
		if part.code == nil {
			continue
		}
		out, _, err := part.code.Eval(given)
		switch {
		case err != nil:
			return &health.HealthStatus{Status: health.HealthStatusProgressing, Message: part.name + " cannot be told yet: " + oneLine(err)}, nil
		case out.Value() == true:
			return &health.HealthStatus{Status: part.says, Message: message(o, part.says)}, nil
		}
	}
	return &health.HealthStatus{Status: health.HealthStatusProgressing, Message: message(o, health.HealthStatusProgressing)}, nil
}

// message is what the object itself says: of the first condition that is not as it
// should be.
func message(o *unstructured.Unstructured, says health.HealthStatusCode) string {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		text, _ := m["message"].(string)
		if text != "" && (m["status"] != "True") != (says == health.HealthStatusHealthy) {
			return text
		}
	}
	return ""
}
