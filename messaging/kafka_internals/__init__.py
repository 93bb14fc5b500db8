"""Extensions that depend on aiokafka's internals, with the reasons.

* ``records``: parses fetched batches, damaged ones too.
* ``spans``: reads only which offsets have a record.
* ``size``: limits the size of a decompressed batch.
* ``consumer``: aiokafka's consumer with both.
"""
