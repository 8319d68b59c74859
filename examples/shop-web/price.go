package main

import "fmt"

// price writes an amount in cents the way a region reads it.
func price(region string, cents int) (string, error) {
	return fmt.Sprintf("%d.%02d", cents/100, cents%100), nil
}
