package resources_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/cmd/seatrial/resources"
	"github.com/seatrial/seatrial/web/drift"
)

func TestTableIndentsAndKeepsALineForEachObject(t *testing.T) {
	var got strings.Builder
	resources.Table(&got, drift.Tree{Left: 2, Items: []drift.Resource{
		{Kind: "Deployment", Name: "web", State: "Drifted", Health: "Progressing", Message: "waits\n\tfor pods"},
		{Depth: 1, Kind: "ReplicaSet", Name: "web-1"},
		{Depth: 2, Kind: "Pod", Name: "web-1-a", Health: "Healthy"},
	}})
	want := "OBJECT\tSTATE\tHEALTH\tMESSAGE\n" +
		"Deployment/web\tDrifted\tProgressing\twaits for pods\n" +
		"  ReplicaSet/web-1\t-\t-\t\n" +
		"    Pod/web-1-a\t-\tHealthy\t\n" +
		"(2 more are left out)\n"
	if got.String() != want {
		t.Errorf("%q", got.String())
	}
	got.Reset()
	resources.Table(&got, drift.Tree{Problem: "cluster a does not answer", Hint: "start it"})
	if got.String() != "cluster a does not answer\nstart it\n" {
		t.Errorf("of a cluster that is away: %q", got.String())
	}
}
