package manifest_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/render/manifest"
)

func sameBytes(t *testing.T, object map[string]any) {
	t.Helper()
	want, err := yaml.Marshal(object)
	if err != nil {
		return // what it cannot write is not an object of anybody's
	}
	got, err := manifest.Write(object)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Write(%#v) = %q, %v, want %q", object, got, err, want)
	}
}

func TestWriteMakesTheBytesThatDigestsWereMadeOf(t *testing.T) {
	for _, v := range []any{
		nil, true, "", " a", "a ", "a\nb\n", "\n", "a\tb", "- a", "yes", "null", "~", "1", "1e3", "0x1f", "1_000", "12:30:45", "2026-11-27", "=", "<<", "a: b", "a #b", "'", `"`, `\`, "<b>&",
		"\x00", "\x7f", "a\rb", "\u0085", "\u2028", "\ufeff", "中文", "🚀", "\xff", strings.Repeat("long ", 100), strings.Repeat("x", 300),
		int64(0), int64(math.MinInt64), int64(math.MaxInt64), 1.0, 0.5, 1e21, 123456789.0, 1e-7,
		[]any{}, []any(nil), map[string]any{}, map[string]any(nil), []any{int64(1), []any{"a"}, map[string]any{"b": nil}},
	} {
		sameBytes(t, map[string]any{"kind": "A", "spec": map[string]any{"v": v, "list": []any{v, v}}})
	}
	for _, key := range []string{"", "<<", "y", "1", "a b", "a: b", "中", strings.Repeat("k", 600), "seatrial.dev/a_b-c.d"} {
		sameBytes(t, map[string]any{key: "v", "a": int64(1), "a10": int64(1), "a9": int64(1)})
	}
}

func FuzzWrite(f *testing.F) {
	f.Add(`{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"b\nc","n":"1"}}`)
	f.Add(`{"a":[1,2.5,null,{"b":"\u0085"}],"<<":{"c":true}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var object map[string]any
		if utiljson.Unmarshal([]byte(text), &object) == nil && object != nil {
			sameBytes(t, object)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	docs, err := manifest.Split("a.yaml", []byte(deployment), 1)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := manifest.Write(docs[0].Object); err != nil {
			b.Fatal(err)
		}
	}
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000
        env: [{name: A, value: "1"}, {name: B, value: two}]
        ports: [{containerPort: 8080, name: http}]
        resources: {requests: {cpu: 10m, memory: 16Mi}}
`
