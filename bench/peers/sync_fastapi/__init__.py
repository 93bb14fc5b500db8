"""The service as a synchronous program: one transaction per webhook, answered once it is committed.

It shares with ours what is not in question (the provider's reader, the pure ``decide``, the tables)
and is tuned in what is: uvloop and httptools, a plain route, a pool of autocommit connections,
prepared statements, one cursor, and one statement for all that is written.
"""
