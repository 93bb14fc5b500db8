"""The processor as in Faust's documentation: one agent, one event at a time.

It uses ``async for event in stream.events()``, a table of event IDs, one Postgres transaction per
event, and ``topic.send`` of the new state. It shares the parts that are not compared: the decoder,
the pure ``decide``, the tables, and the statements of the synchronous program. It is tuned without
leaving the idiom: raw serializers, RocksDB with our options, large polls and produce batches, quiet
logs.

It lacks guarantees of the processor: an exception acknowledges its event, so an outage of Postgres
loses events. A state that is not delivered before a crash is never published. A worker that lost
its partitions can still publish. A webhook that comes before its payment is a dead letter.
"""
