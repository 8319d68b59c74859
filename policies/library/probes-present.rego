# METADATA
# title: Containers say when they are ready
# description: Without a readiness probe traffic reaches a container that cannot answer yet, and a rollout cannot tell that it failed.
# custom:
#   remedy: give the container a readinessProbe
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
package probes_present

import data.seatrial.pods

serving if input.kind in {"DaemonSet", "Deployment", "StatefulSet"}

deny contains {"msg": "it has no readinessProbe", "container": container.name} if {
	serving
	some container in pods.main
	not container.readinessProbe
}

warn contains {"msg": "it has no livenessProbe: nothing restarts it when it hangs", "container": container.name} if {
	serving
	some container in pods.main
	not container.livenessProbe
}
