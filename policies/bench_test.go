package policies_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/policies/library"
)

// fleet is n Deployments, every second with a Service.
func fleet(b *testing.B, n int) []map[string]any {
	var out []map[string]any
	for i := range n {
		out = append(out, manifests(b, workload("name: web", fmt.Sprintf("name: web%d", i)))...)
	}
	return out
}

func everything() []string {
	all := []string{policies.NoBarePods, policies.PodSecurityBaseline, policies.PodSecurityRestricted}
	for name := range library.Policies() {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// BenchmarkCheck is one release through every policy there is, compiled before.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d objects", n), func(b *testing.B) {
			gate, in := newGate(b, policies.Config{}, nil), input(fleet(b, n)...)
			in.Environment.Spec.Policies = everything()
			check(b, gate, in)
			b.ReportAllocs()
			for b.Loop() {
				check(b, gate, in)
			}
		})
	}
}

// BenchmarkFirstCheck compiles every policy of the library as well.
func BenchmarkFirstCheck(b *testing.B) {
	in := input(fleet(b, 1)...)
	in.Environment.Spec.Policies = everything()
	for b.Loop() {
		check(b, newGate(b, policies.Config{}, nil), in)
	}
}

// BenchmarkParallel is many releases through one gate.
func BenchmarkParallel(b *testing.B) {
	gate, in := newGate(b, policies.Config{}, nil), input(fleet(b, 10)...)
	in.Environment.Spec.Policies = everything()
	check(b, gate, in)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			check(b, gate, in)
		}
	})
}
