// Package slo measures promises: the SLOs of a service, asked of Prometheus, as a gate of
// a release, as the meter of a trial and as an alert outside releases.
//
// Start at Judge, the pure decision, then Gate.Check, Gate.Measure and Watch.Run, which
// ask and call it. It never calls missing data a pass and never turns "could not ask" into
// a verdict: that is an error.
package slo
