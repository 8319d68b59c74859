package helm

import (
	"bytes"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v4/pkg/chart/v2"

	"github.com/seatrial/seatrial/deployer/render/manifest"
)

// fit checks values against the chart's schema, and those of the charts below it. Helm's
// own check fetches what a schema refers to, from anywhere; here it has to hold by itself.
func fit(chart *v2.Chart, v any) error {
	values := asMap(v)
	if chart.Schema != nil {
		if err := fitOne(chart.Schema, values); err != nil {
			return fmt.Errorf("%s: %s", chart.Name(), manifest.OneLine(err))
		}
	}
	for _, sub := range chart.Dependencies() {
		if below, there := values[sub.Name()]; there && below != nil {
			if err := fit(sub, below); err != nil {
				return err
			}
		}
	}
	return nil
}

func fitOne(schema []byte, values map[string]any) error {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return err
	}
	const name = "values.schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothing{})
	if err := compiler.AddResource(name, parsed); err != nil {
		return err
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return err
	}
	return compiled.Validate(values)
}

// nothing loads nothing.
type nothing struct{}

// Load refuses.
func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("the schema refers to %s, and nothing is fetched while rendering", url)
}
