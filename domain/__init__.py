"""The rules of a payment. Pure: no I/O, no clock, no randomness, no provider's terms.

``decide`` is the entry point and ``transitions`` the state machine. ``facts.join`` makes any order
of the provider's facts end in the same state.
"""
