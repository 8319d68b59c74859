# Where Kubernetes' own kinds keep their pod, for policies to import as
# data.seatrial.pods. Custom kinds are held for review before any policy counts.
package seatrial.pods

spec := input.spec if {
	input.apiVersion == "v1"
	input.kind == "Pod"
}

spec := input.spec.template.spec if input.kind in {
	"DaemonSet",
	"Deployment",
	"Job",
	"ReplicaSet",
	"ReplicationController",
	"StatefulSet",
}

spec := input.spec.jobTemplate.spec.template.spec if input.kind == "CronJob"

spec := input.template.spec if input.kind == "PodTemplate"

# The containers that do the work.
main contains container if some container in spec.containers

# All of them, with those that run first.
all contains container if some container in main

all contains container if some container in spec.initContainers
