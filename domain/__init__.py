"""The rules of a payment, pure: no I/O, no clock, no chance, no provider's words.

``transitions`` is the state machine, ``decide`` the one way in, ``join`` what makes any order of
the provider's facts end in the same state.
"""
