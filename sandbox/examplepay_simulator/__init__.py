"""A simulator of ExamplePay, the made-up second provider. Its state is in memory."""
