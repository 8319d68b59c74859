# METADATA
# title: Containers say what they need
# description: Without requests the scheduler guesses, and without a memory limit one container can take its node down.
# custom:
#   remedy: set resources.requests.cpu, resources.requests.memory and resources.limits.memory on the container
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
package resources_set

import data.seatrial.pods

wanted := [["requests", "cpu"], ["requests", "memory"], ["limits", "memory"]]

deny contains {"msg": msg, "container": container.name} if {
	some container in pods.all
	some path in wanted
	not given(container, path)
	msg := sprintf("resources.%s.%s is not set", path)
}

given(container, path) if container.resources[path[0]][path[1]]

# A request that is left out is the limit.
given(container, path) if {
	path[0] == "requests"
	container.resources.limits[path[1]]
}

warn contains {"msg": msg, "container": container.name} if {
	some container in pods.all
	container.resources.limits.cpu
	msg := "a CPU limit slows the container down while its node is idle"
}
