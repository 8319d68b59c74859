// Package chaos breaks things on purpose, within stated limits, and always puts them back.
//
// Start at package chaos/trial, the sea trial of a release, and at package chaos/schedule, which runs
// experiments by their schedule; both drive Engine.Step, one saved step at a time, and
// Conclude, the pure verdict on what the steps left as evidence. Package chaos/mesh is the
// door to Chaos Mesh.
//
// It never picks targets outside an experiment's limits, never acts before the intent was
// saved, never calls a fault that was not injected a pass or a failure, and never gives a
// verdict while its fault may still be active.
package chaos
