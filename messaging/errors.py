"""What publishing a record can end in besides success.

MessagingError
├── NotDeliveredError     the brokers did not confirm the record in time; it may be sent again
├── RecordTooLargeError   no broker takes a record of this size: sending it again can't help
└── TopicsNotReadyError   the brokers answer, but the topics are not as they must be
"""


class MessagingError(Exception):
    """Base of what this package raises."""


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
