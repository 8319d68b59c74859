// Package fxlogr stands in for a module that cannot be downloaded. The
// controller of Chaos Mesh takes its start-up logger from it; ours says nothing.
package fxlogr

import (
	"github.com/go-logr/logr"
	"go.uber.org/fx/fxevent"
)

// WithLogr keeps the dependency injection silent.
func WithLogr(*logr.Logger) func() fxevent.Logger {
	return func() fxevent.Logger { return fxevent.NopLogger }
}
