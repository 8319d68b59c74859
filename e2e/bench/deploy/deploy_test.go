package deploy

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
)

func TestALoopAppliesEveryObjectOfEveryService(t *testing.T) {
	all, err := calls(3, 7)
	if err != nil || len(all) != 3*len(kinds) {
		t.Fatalf("%d calls, %v", len(all), err)
	}
	plural := map[string]string{"ServiceAccount": "serviceaccounts", "Deployment": "deployments", "Service": "services", "Ingress": "ingresses"}
	for _, c := range all {
		var o struct {
			Kind     string
			Metadata struct {
				Name        string
				Annotations map[string]string
			}
		}
		if err := json.Unmarshal(c.body, &o); err != nil {
			t.Fatal(err)
		}
		if plural[o.Kind] != c.kind.resource || o.Metadata.Name != c.name || o.Metadata.Annotations["bench"] != "7" {
			t.Errorf("%s/%s holds %+v", c.kind.resource, c.name, o)
		}
	}
}

func TestAStraightLineFitsItself(t *testing.T) {
	if slope, fit, ok := line([]float64{1, 2, 4}, []float64{5, 7, 11}); !ok || slope != 2 || fit != 1 {
		t.Errorf("slope %v, fit %v, %v", slope, fit, ok)
	}
	if _, _, ok := line([]float64{1, 2}, []float64{5, 7}); ok {
		t.Error("two points always fit")
	}
}

func TestThePictureIsXMLWithAPointOfEveryLine(t *testing.T) {
	text := picture([]point{{services: 100, limit: 1, first: 2, changed: 3}, {services: 5000, limit: 50, first: 60, changed: 70}})
	if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil {
		t.Error(err)
	}
	if got := strings.Count(text, "<circle"); got != 6 {
		t.Errorf("%d points, want 6", got)
	}
}
