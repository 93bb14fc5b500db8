"""Everything that reaches inside Faust, with its reasons. faust-streaming is pinned because of it.

* ``consumer``: what is committed, and how records come in.
* ``batches``: batches of records, taken from where Faust puts them.
* ``schema``: records as bytes, as they came.
* ``table``: a table's partitions, read and written a batch at a time.
"""
