# METADATA
# title: Pods stay off their node
# description: A pod with the node's network, processes or files can reach every other pod on it.
# custom:
#   remedy: remove it; use a Service instead of the node's network and a volume claim instead of its files
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
package no_host_access

import data.seatrial.pods

deny_host contains msg if {
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	pods.spec[field] == true
	msg := sprintf("%s is on", [field])
}

deny_path contains msg if {
	some volume in pods.spec.volumes
	volume.hostPath
	msg := sprintf("volume %s is the node's %s", [volume.name, object.get(volume.hostPath, "path", "file system")])
}

deny_port contains {"msg": msg, "container": container.name} if {
	some container in pods.all
	some port in container.ports
	port.hostPort > 0
	msg := sprintf("port %d of the node is taken", [port.hostPort])
}
