package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/machine"
)

// The ports of the gateway on its node. A listener of a Gateway names the first.
const (
	gatewayPort = 8000
	gatewayOps  = 8002
)

func gatewayProgram(c layout.Cluster, dir string, b Bins) machine.Program {
	ops := fmt.Sprintf(":%d", gatewayOps)
	return machine.Program{
		Argv: []string{
			filepath.Join(b.Traefik, "traefik"), "--providers.kubernetesgateway=true",
			"--providers.kubernetesgateway.statusaddress.ip=" + c.NodeIP(),
			fmt.Sprintf("--entrypoints.web.address=:%d", gatewayPort),
			"--entrypoints.ops.address=" + ops, "--ping=true", "--ping.entrypoint=ops",
			"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO",
		},
		Env: []string{"KUBECONFIG=" + filepath.Join(dir, "admin.kubeconfig")},
	}
}

// startGateway installs the Gateway API, runs the gateway and makes one Gateway that takes
// routes of every namespace. The Service gateway/gateway leads to it from anywhere.
func (c *Cluster) startGateway(ctx context.Context) error {
	a, err := newAPI(c.Cluster, c.dir)
	if err != nil {
		return err
	}
	defer a.close()
	if err := c.applyCRDs(ctx, a, c.bins.GatewayCRDs, gatewayGroup); err != nil {
		return fmt.Errorf("install the Gateway API: %w", err)
	}
	if err := c.applyGateway(ctx, a); err != nil {
		return fmt.Errorf("make a Gateway: %w", err)
	}
	if err := c.launch(ctx, "gateway"); err != nil {
		return err
	}
	return c.ready(ctx, "gateway")
}

const gatewayGroup = "gateway.networking.k8s.io"

func (c *Cluster) applyGateway(ctx context.Context, a *api) error {
	const ns, group = "/api/v1/namespaces/gateway", "/apis/" + gatewayGroup + "/v1"
	ports := []any{object{"name": "http", "port": 80, "targetPort": gatewayPort}}
	for _, o := range []struct {
		path string
		body object
	}{
		{ns, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "gateway"}}},
		{ns + "/services/gateway", object{"apiVersion": "v1", "kind": "Service", "metadata": object{"name": "gateway"}, "spec": object{"ports": ports}}},
		{ns + "/endpoints/gateway", object{"apiVersion": "v1", "kind": "Endpoints", "metadata": object{"name": "gateway"}, "subsets": []any{
			object{"addresses": []any{object{"ip": c.NodeIP()}}, "ports": []any{object{"name": "http", "port": gatewayPort}}},
		}}},
		{group + "/gatewayclasses/lab", object{"apiVersion": gatewayGroup + "/v1", "kind": "GatewayClass", "metadata": object{"name": "lab"},
			"spec": object{"controllerName": "traefik.io/gateway-controller"}}},
		{group + "/namespaces/gateway/gateways/lab", object{"apiVersion": gatewayGroup + "/v1", "kind": "Gateway", "metadata": object{"name": "lab"},
			"spec": object{"gatewayClassName": "lab", "listeners": []any{object{
				"name": "web", "protocol": "HTTP", "port": gatewayPort, "allowedRoutes": object{"namespaces": object{"from": "All"}},
			}}}}},
	} {
		if err := a.apply(ctx, o.path, o.body); err != nil {
			return err
		}
	}
	return nil
}

// definitions reads a list of custom resource definitions.
func definitions(file string) ([]object, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []object
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	return all, nil
}
