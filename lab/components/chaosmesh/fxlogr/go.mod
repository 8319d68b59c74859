module github.com/chaos-mesh/fx-logr

go 1.26.8

require (
	github.com/go-logr/logr v1.4.3
	go.uber.org/fx v1.23.0
)
