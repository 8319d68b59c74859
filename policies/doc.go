// Package policies says whether a release may go to an environment: the policies over
// its artifact and its rendered manifests, the approvals of people, and the windows in
// which the environment may change.
//
// Start at Gate.Check, then Approving.Approve, which puts windows, approvals and the
// policies again into one answer. The rules that come with the platform are data in
// policies/library, each with its cases.
//
// It never lets something pass because a rule could not be read, was not found, gave no
// answer or took too long: each of these refuses. It never reaches the network itself;
// images are verified through the VerifyImage it is given, and rego has no builtin that
// could.
package policies
