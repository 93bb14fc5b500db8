"""ExamplePay behind the port. The provider is made up: nobody runs it, and no money is in it.

It is here to be unlike the other one in everything but what it does: Standard Webhooks signatures,
other words for every status, amounts as decimals in major units, times with fractions of a second,
and references of ours on other objects. What works for both is in no provider's words. Its API is
what ``sandbox/examplepay_simulator`` answers.
"""
