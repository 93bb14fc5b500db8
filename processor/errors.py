"""Every error of the processor, drawn once.

ProcessorError
├── UndecodableRecordError   the bytes are no command, webhook or result: to the dead letters
├── BatchConflictError       another worker wrote these rows first: load again, decide again
├── FencedError              another worker owns the partition: this one must stop and start over
├── PublishError             the brokers gave no word in time; the record's fate is unknown
└── MissingTopicsError       topics are absent or wrongly partitioned: ``payments topics`` mends it
"""


class ProcessorError(Exception):
    """Base of what the processor raises."""


class UndecodableRecordError(ProcessorError):
    """A record that nobody can decode; the text says what is wrong with it."""


class BatchConflictError(ProcessorError):
    """Rows changed between load and write. Nothing was written; the batch may be tried again."""


class FencedError(ProcessorError):
    """A newer owner of the partition publishes now. Nothing of ours was or will be published."""


class PublishError(ProcessorError):
    """The brokers did not confirm in time."""


class MissingTopicsError(ProcessorError):
    """A topic is missing or has another number of partitions than its peers."""
