"""The processor as Faust's documentation teaches it: one agent, one event at a time.

``async for event in stream.events()``, a table of the event IDs seen, one Postgres transaction for
each event, ``topic.send`` of the new state. It shares with ours what is not in question (the
decoder, the pure ``decide``, the tables; the statements are those of the synchronous program) and
is tuned where that costs the idiom nothing: raw serializers, RocksDB with our options, large polls
and produce batches, the logs of the libraries kept quiet.

What it does not give, and ours does: an exception acknowledges the event it was about, so an outage
of Postgres loses events; a crash between the commit and the delivery of a new state leaves it
unpublished for good; nothing keeps a worker that lost its partitions from publishing; a webhook
that comes before its payment is a dead letter.
"""
