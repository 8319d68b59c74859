package ignore

import (
	"context"
	"fmt"
	"time"

	"github.com/itchyny/gojq"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/hint"
)

// What one expression may use.
const (
	queryTime  = time.Second
	queryPaths = 10_000
)

// query is a jq expression that names fields. It has no environment, no input and no
// modules.
type query struct {
	text string
	code *gojq.Code
}

func compileQuery(expr string) (query, error) {
	parsed, err := gojq.Parse("path(" + expr + "\n)")
	if err == nil {
		var code *gojq.Code
		if code, err = gojq.Compile(parsed, gojq.WithEnvironLoader(func() []string { return nil })); err == nil {
			return query{expr, code}, nil
		}
	}
	return query{}, hint.Add(fmt.Errorf("jq expression %q: %w", expr, err), "it has to name fields, like .spec.template.spec.containers[].resources")
}

// paths lists the fields that the expression names in an object.
func (q query) paths(ctx context.Context, o *unstructured.Unstructured) ([]Path, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	var out []Path
	for iter := q.code.RunWithContext(ctx, plain(o.Object)); ; {
		v, more := iter.Next()
		if !more {
			return out, nil
		}
		if err, bad := v.(error); bad {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("jq expression %q does not end within %s: %w", q.text, queryTime, err)
			}
			return out, nil // something it goes through is not there: then there is nothing to ignore
		}
		if len(out) == queryPaths {
			return nil, fmt.Errorf("jq expression %q names more than %d fields", q.text, queryPaths)
		}
		p, ok := v.([]any)
		if _, there := value(o.Object, p); ok && there && len(p) > 0 {
			out = append(out, p)
		}
	}
}

// plain gives jq the only numbers it knows.
func plain(v any) any {
	switch at := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(at))
		for k, item := range at {
			out[k] = plain(item)
		}
		return out
	case []any:
		out := make([]any, len(at))
		for i, item := range at {
			out[i] = plain(item)
		}
		return out
	case int64:
		return int(at)
	}
	return v
}
