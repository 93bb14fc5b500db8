"""Extensions that depend on aiokafka's internals, with the reasons.

* ``records``: parses fetched batches, damaged ones too.
* ``size``: limits the size of a decompressed batch.
* ``consumer``: aiokafka's consumer with both.
"""
