"""Bugs of the producer that all programs share."""

from typing import Final

from tests.mutants.planted import Bug

_PRODUCER: Final = "tests/messaging/test_producer.py::test_{}"
_LIMITER: Final = "tests/messaging/test_in_flight.py::test_{}"

BUGS: Final = (
    Bug(
        "messaging",
        "messaging.in_flight:InFlightLimiter.release",
        "self._bytes -= size",
        "self._bytes -= 0",
        "after 64 MiB in all every record is refused until a restart",
        (_LIMITER.format("bytes_are_released"),),
    ),
    Bug(
        "messaging",
        "messaging.in_flight:InFlightLimiter.release",
        "self._records -= 1",
        "self._records -= 0",
        "after 4096 records in all every record is refused until a restart",
        (_LIMITER.format("bytes_are_released"),),
    ),
    Bug(
        "messaging",
        "messaging.in_flight:InFlightLimiter.release",
        "self._freed.set()",
        "self._freed.clear()",
        "a sender that waits for room waits for ever",
        (_LIMITER.format("waiting_tasks_continue_when_there_is_room"),),
    ),
    Bug(
        "messaging",
        "messaging.in_flight:InFlightLimiter.try_acquire",
        "if full and self._records:",
        "if full:",
        "a record larger than the limit is never sent, not even alone",
        (_LIMITER.format("a_record_larger_than_the_limit_goes_alone"),),
    ),
    Bug(
        "messaging",
        "messaging.in_flight:InFlightLimiter.try_acquire",
        "self._bytes + size > self._limits.bytes",
        "self._bytes > self._limits.bytes",
        "one record too many is accepted: memory exceeds the limit",
        (_LIMITER.format("either_limit_applies"),),
    ),
    Bug(
        "messaging",
        "messaging.instances:Instances.replace",
        "if self.current is not instance:",
        "if self.current is None:",
        "a send that failed late closes the healthy successor of its producer",
        (_PRODUCER.format("a_failing_send_gives_up_its_own_instance_only"),),
        servers=True,
    ),
    Bug(
        "messaging",
        "messaging.producer:Producer._failure",
        "if not error.retriable:",
        "if error.retriable:",
        "a producer that can't recover is used for ever",
        (_PRODUCER.format("an_instance_beyond_repair_is_replaced"),),
        servers=True,
    ),
    Bug(
        "messaging",
        "messaging.producer:Producer._failure",
        "and instance.acknowledged_at < started",
        "",
        "one slow partition closes the producer of all others",
        (_PRODUCER.format("a_slow_partition_does_not_replace_the_producer"),),
        servers=True,
    ),
    Bug(
        "messaging",
        "messaging.producer:Producer.publish",
        "finally: self._limiter.release(size)",
        "finally:\n            str(size)",
        "after 64 MiB in all the ingress returns 503 until a restart",
        (_PRODUCER.format("room_is_released_after_any_outcome"),),
        servers=True,
    ),
    Bug(
        "messaging",
        "messaging.topic_admin:_to_configure",
        "wanted[_RETENTION] = theirs",
        "pass",
        "a deployment deletes the log that an operator kept longer in an outage",
        (
            "tests/processor/messaging/test_topic_admin.py::test_a_longer_retention_is_never_shortened",
        ),
        servers=True,
    ),
    Bug(
        "messaging",
        "messaging.topic_admin:_is_longer",
        "one == _FOR_EVER or",
        "",
        "a topic that was to be kept for ever is shortened",
        (
            "tests/processor/messaging/test_topic_admin.py::test_a_longer_retention_is_never_shortened",
        ),
        servers=True,
    ),
    Bug(
        "messaging",
        "messaging.topic_admin:outliving",
        "_is_longer(theirs, history_ms)",
        "_is_longer(ours, history_ms)",
        "a retention that was raised by hand beyond the history is not noticed",
        (
            "tests/processor/messaging/test_topic_admin.py::test_a_log_that_outlives_the_history_is_named",
        ),
        servers=True,
    ),
)
