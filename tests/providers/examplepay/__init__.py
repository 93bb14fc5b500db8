"""ExamplePay's own words: decimals, signatures, references, states. The rest is in conformance."""
