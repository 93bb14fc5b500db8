"""Tests of what only ExamplePay has: decimals, signatures, references and states."""
