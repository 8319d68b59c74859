# METADATA
# title: No image by a moving tag
# description: The tag latest, or no tag at all, says nothing about what runs.
# custom:
#   remedy: name the image by its digest, repository@sha256:…
package no_latest_tag

import data.seatrial.pods

deny contains {"msg": msg, "container": container.name} if {
	some container in pods.all
	moving(container.image)
	msg := sprintf("image %s moves with every push", [container.image])
}

moving(image) if {
	not contains(image, "@")
	endswith(image, ":latest")
}

moving(image) if {
	not contains(image, "@")
	parts := split(image, "/")
	not contains(parts[count(parts) - 1], ":")
}
