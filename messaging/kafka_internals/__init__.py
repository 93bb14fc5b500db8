"""Everything that reaches inside aiokafka, with its reasons.

* ``records``: what a fetched batch holds, whatever stands in it.
* ``size``: how large a batch becomes when it is decompressed.
* ``consumer``: aiokafka's consumer, reading with that.
"""
