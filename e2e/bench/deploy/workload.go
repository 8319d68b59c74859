package deploy

import (
	"fmt"
	"strings"

	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
)

// manifest has the shape of the public Flux benchmark, with a headless Service because the
// lab's service range holds 254 addresses. Nothing serves the Ingress, so its health does
// not count.
const manifest = `apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME, namespace: NAMESPACE, annotations: {bench: "GENERATION"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NAMESPACE, labels: {app: NAME}, annotations: {bench: "GENERATION"}}
spec:
  replicas: 0
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      serviceAccountName: NAME
      containers:
        - name: main
          image: registry.example/web@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
          env: [{name: ROUND, value: "GENERATION"}, {name: MODE, value: bench}]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}}
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: NAMESPACE, annotations: {bench: "GENERATION"}}
spec: {clusterIP: None, selector: {app: NAME}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME, namespace: NAMESPACE, annotations: {bench: "GENERATION", argocd.argoproj.io/ignore-healthcheck: "true"}}
spec: {rules: [{host: NAME.example.dev, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: NAME, port: {name: http}}}}]}}]}
`

// kinds are those of one service's objects, by their resource.
var kinds = []kind{
	{"", "serviceaccounts"}, {"apps", "deployments"}, {"", "services"}, {"networking.k8s.io", "ingresses"},
}

type kind struct{ group, resource string }

func nameOf(i int) string { return fmt.Sprintf("web-%05d", i) }

// manifestOf is one service's content; another generation changes all of its objects.
func manifestOf(i, generation int) string {
	return strings.NewReplacer("NAMESPACE", subject.Team, "GENERATION", fmt.Sprint(generation), "NAME", nameOf(i)).Replace(manifest)
}
