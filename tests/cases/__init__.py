"""Inputs that once failed, each with its kind, on the running service.

A case sends what a provider, a client or somebody else with access to the account sends, over HTTP,
and reads the result where its users read it: ``GET``, the timeline, ``payment-state``, Postgres,
the dead letters, the metrics. All cases share one service; each has payments of its own.
"""
