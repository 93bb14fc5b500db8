"""Every error of the programs but the ingress' answers, drawn once.

ProcessorError
├── UndecodableRecordError   the bytes are no command, webhook or result: a dead letter
├── StoreUnavailableError    Postgres is away or busy: retryable
├── KeyTakenError            another transaction took a unique key: load and decide again
├── BatchConflictError       another worker wrote these rows first: load and decide again
├── FencedError              another worker owns the partition: this one must restart
├── PublishError             the brokers did not confirm in time; the record may be in the log
├── TableFilesError          RocksDB can't read or write its files: restart, which repairs them
├── LeaseLostError           another worker may have claimed the provider call: this one stops
├── EventTooLargeError       a provider's event is larger than a topic takes: a dead letter
├── SnapshotTooLargeError    a payment is larger than ``payment-state`` takes; it is quarantined
├── LoopFailedError          a background loop failed for good: restart
├── RebuildRunningError      another rebuild is running on this database
├── ShareFailedError         a process of a rebuild or an audit was ended: it can go on
├── UnknownPaymentsError     nothing is stored of a payment that an operator named
└── MissingTopicsError       topics are absent or wrongly partitioned: run ``payments topics``

MessagingError            publishing one record; the producer component raises these
├── NotDeliveredError     the brokers did not confirm the record in time; it may be sent again
├── RecordTooLargeError   no broker takes a record of this size: sending it again can't help
└── TopicsNotReadyError   the brokers answer, but the topics are not as they must be
"""


class ProcessorError(Exception):
    """Base of what the processor raises."""


class UndecodableRecordError(ProcessorError):
    """A record can't be decoded; the text says what is wrong with it."""


class StoreUnavailableError(ProcessorError):
    """The store is not available: no connection, a deadlock, a timeout. Nothing was written."""


class KeyTakenError(ProcessorError):
    """Another transaction has written a unique key. Nothing was written."""


class BatchConflictError(ProcessorError):
    """Rows changed between load and write. Nothing was written; the batch may be tried again."""


class FencedError(ProcessorError):
    """The partition has a newer owner. This transaction was not published and never will be."""


class PublishError(ProcessorError):
    """The brokers did not confirm in time."""


class TableFilesError(ProcessorError):
    """RocksDB can't read or write the files of a table: the disk is full, or they are damaged."""


class LeaseLostError(ProcessorError):
    """The lease of a provider call ended before the call did."""


class EventTooLargeError(ProcessorError):
    """An event of a provider is larger than a topic takes."""


class SnapshotTooLargeError(ProcessorError):
    """A payment's snapshot is larger than a record of ``payment-state`` may be."""


class LoopFailedError(ProcessorError):
    """A background loop failed on an error that is not retryable, its cause."""


class RebuildRunningError(ProcessorError):
    """Another rebuild is under way on the same database."""


class ShareFailedError(ProcessorError):
    """A process that does a share of a rebuild or an audit ended without saying why."""


class UnknownPaymentsError(ProcessorError):
    """Nothing is stored of a payment that an operator named."""


class MissingTopicsError(ProcessorError):
    """A topic is missing or has another number of partitions than its peers."""


class MessagingError(Exception):
    """Base of what the producer component raises."""


class NotDeliveredError(MessagingError):
    """The brokers did not confirm the record in time.

    ``sent`` says whether the record may nevertheless be in the log, now or later.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class RecordTooLargeError(MessagingError):
    """The record is larger than the producer or the topic allows."""


class TopicsNotReadyError(MessagingError):
    """A topic is missing, or is not as it must be; the text names each one."""
