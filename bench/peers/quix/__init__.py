"""The processor as a quix-streams program: its state for dedup, our ``fold``, our SQL, in a sink.

Records are decoded and looked up in quix's state one by one; a checkpoint's records reach the sink
together, which commits them in one Postgres transaction and publishes the new versions before the
offsets, and the state's changelog, are committed. So the order of effects is that of
``processor/stream/batch.py`` without its fences:

- at least once: a crash before the offsets are committed brings the records again, the inbox knows
  their event IDs, and what was committed and not published is published then;
- what a worker left behind that never came back is published when one of its records comes again,
  not when its partitions are taken over;
- nothing keeps a worker that lost its partitions in its sleep from publishing an older version over
  a newer one: quix's producer has no transactional id per partition.

It is tuned: checkpoints as large as there is work for, short polls, large librdkafka batches, one
transaction for all partitions of a checkpoint (quix's own ``BatchingSink`` writes each by itself).

quix-streams wants an older pydantic than the service has, so it has an environment of its own:
``requirements.lock`` here, which ``make lock`` makes, and from it ``.venv-quix``, which ``make
bench`` makes.
"""
