# METADATA
# title: Every container says what it needs
# description: Without requests the scheduler guesses; without a memory limit one pod can starve a node.
package resources

import rego.v1

containers contains c if {
	input.kind == "Deployment"
	some c in input.spec.template.spec.containers
}

deny contains msg if {
	some c in containers
	not c.resources.requests.cpu
	msg := sprintf("container %s of %s %s has no CPU request: set resources.requests.cpu", [c.name, input.kind, input.metadata.name])
}

deny contains msg if {
	some c in containers
	not c.resources.limits.memory
	msg := sprintf("container %s of %s %s has no memory limit: set resources.limits.memory", [c.name, input.kind, input.metadata.name])
}
