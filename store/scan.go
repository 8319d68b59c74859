package store

import (
	"cmp"
	"context"
	"iter"
)

// scanPage is how many entries one read transaction takes: a long one holds pages back.
const scanPage = 200

// Scan goes through every document whose key has the prefix, in key order.
// What is written meanwhile may or may not be seen. An error ends it.
func Scan(ctx context.Context, kv KV, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for after := ""; ; {
			page, err := kv.List(ctx, prefix, after, scanPage)
			if err = cmp.Or(ctx.Err(), err); err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page {
				after = e.Key
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < scanPage {
				return
			}
		}
	}
}
