package deployer

import "context"

// Sweep looks at every target once and waits for that.
func (f *Fleet) Sweep(ctx context.Context) error {
	err := f.sweepOnce(ctx)
	f.aside.wait()
	return err
}
