package main

import "testing"

func TestPrice(t *testing.T) {
	if got, err := price("test", 1999); err != nil || got[:5] != "19.99" {
		t.Errorf("got %q, %v", got, err)
	}
}
