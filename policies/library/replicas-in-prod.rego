# METADATA
# title: Two of everything in production
# description: One replica is an outage whenever its node is drained. It counts in an environment named prod or labelled tier=prod.
# custom:
#   remedy: set spec.replicas to 2 or more, or give it a HorizontalPodAutoscaler whose minReplicas is
package replicas_in_prod

deny contains msg if {
	production
	input.kind in {"Deployment", "StatefulSet"}
	not scaled
	wanted := object.get(input, ["spec", "replicas"], 1)
	wanted < 2
	wanted > 0 # none at all is a decision, not an accident
	msg := sprintf("it has %d replica, want at least 2", [wanted])
}

deny contains msg if {
	production
	input.kind == "HorizontalPodAutoscaler"
	least := object.get(input, ["spec", "minReplicas"], 1)
	least < 2
	msg := sprintf("its minReplicas is %d, want at least 2", [least])
}

production if input.seatrial.environment.name == "prod"

production if input.seatrial.environment.labels.tier == "prod"

# The autoscaler owns the number then, and is held to it above.
scaled if {
	some other in input.seatrial.objects
	other.kind == "HorizontalPodAutoscaler"
	other.metadata.namespace == input.metadata.namespace
	other.spec.scaleTargetRef.kind == input.kind
	other.spec.scaleTargetRef.name == input.metadata.name
}
