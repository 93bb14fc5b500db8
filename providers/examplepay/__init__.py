"""The adapter of ExamplePay, a fictitious provider. ``sandbox/examplepay_simulator`` is its API.

It differs from the other provider wherever it can: Standard Webhooks signatures, other terms for
every status, amounts as decimals in major units, times with fractions of a second, and our
references on other objects. So code that works with both depends on neither.
"""
