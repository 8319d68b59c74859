// The OCI registry of the lab: go-containerregistry behind a small main of ours.
module github.com/seatrial/seatrial/lab/components/registry

go 1.26.8

require github.com/google/go-containerregistry v0.22.1
