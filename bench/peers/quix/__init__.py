"""The processor as a quix-streams program: its state for dedup, our ``fold``, our SQL, in a sink.

Records are decoded and looked up in quix's state one by one. The sink gets a checkpoint's records
together. It commits them in one Postgres transaction and publishes the new versions, before the
offsets and the state's changelog are committed. So the order of effects is that of
``processor/stream/batch.py``, but without its fences:

- Processing is at least once. After a crash before the offsets' commit the records are redelivered;
  the inbox has their event IDs, and committed versions that were not published are published then.
- Unpublished versions of a worker that does not restart are published when one of their records is
  redelivered, not when its partitions are taken over.
- A paused worker that has lost its partitions may publish an older version after a newer one,
  because quix's producer has no transactional ID per partition.

It is tuned: checkpoints as large as the work allows, short polls, large librdkafka batches, one
transaction for all partitions of a checkpoint (quix's ``BatchingSink`` writes each separately).

quix-streams needs an older pydantic than the service, so it has its own environment: ``make lock``
creates ``requirements.lock`` here, and ``make bench`` creates ``.venv-quix`` from it.
"""
