package live_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
	"github.com/seatrial/seatrial/release"
)

const benchApp = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {app: NAME}}
spec:
  replicas: 0
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      serviceAccountName: NAME
      containers:
      - {name: main, image: "registry/web@sha256:0123", ports: [{name: http, containerPort: 8080}], env: [{name: A, value: b}, {name: C, value: d}],
         resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}, readinessProbe: {httpGet: {path: /healthz, port: http}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {clusterIP: None, selector: {app: NAME}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME}
spec: {rules: [{host: NAME.example.dev, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: NAME, port: {name: http}}}}]}}]}
`

// BenchmarkNothingChanged is one full reconcile of services that are as they should be:
// every object of every service is looked at.
func BenchmarkNothingChanged(b *testing.B) {
	for _, services := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d services of 4 objects", services), func(b *testing.B) { nothingChanged(b, services) })
	}
}

func nothingChanged(b *testing.B, services int) {
	quiet()
	dir := b.TempDir()
	kubetest.New(b).Credentials(b, dir, "prod")
	clusters := live.New(kube.Open(dir), live.Config{})
	b.Cleanup(clusters.Close)
	var all []live.Want
	for i := range services {
		name := fmt.Sprintf("web-%d", i)
		w := live.Want{Service: release.Service("shop/" + name), Revision: "r1", Namespace: "shop", Objects: parse(b, strings.ReplaceAll(benchApp, "NAME", name))}
		if res, err := clusters.Sync(b.Context(), "prod", w); err != nil || res.State != live.Synced {
			b.Fatalf("%+v, %v", res, err)
		}
		all = append(all, w)
	}
	look := func() {
		for _, w := range all {
			if got, err := clusters.Drifted(b.Context(), "prod", w); err != nil || len(got) > 0 {
				b.Fatalf("%v, %v", got, err)
			}
		}
	}
	look() // the first look compares, as after a start
	b.ResetTimer()
	for b.Loop() {
		look()
	}
}
