"""A simulator of ExamplePay, the fictional second provider. Its state is in memory."""
