"""Everything that reaches inside aiokafka, with its reasons.

* ``records``: what a fetched batch holds, whatever stands in it.
* ``consumer``: aiokafka's consumer, reading with that.
"""
