"""The service as a synchronous program: one transaction per webhook, then the response.

It shares the parts that are not compared: the provider's reader, the pure ``decide``, the tables.
The compared parts are tuned: uvloop and httptools, a plain route, a pool of autocommit connections,
prepared statements, one cursor, and one statement for all writes.
"""
