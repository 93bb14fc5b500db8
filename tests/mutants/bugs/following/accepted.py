"""Bugs of reading what was just accepted."""

from typing import Final

from tests.mutants.planted import Bug

_WINDOW: Final = "tests/ingress/following/test_window.py::test_{}"
_WRITES: Final = "tests/ingress/following/test_read_your_writes.py::test_{}"
_STORED: Final = "tests/ingress/reads/test_operations.py::test_{}"
_ENDS: Final = "tests/messaging/test_end_offsets.py::test_{}"
_COMMANDS: Final = "tests/ingress/routes/test_commands.py::test_{}"

BUGS: Final = (
    Bug(
        "ingress",
        "ingress.following.window:CommandWindow._turn",
        "self._begins, self._begins_of_young = self._begins_of_young, dict(self._next)",
        "self._begins_of_young = dict(self._next)",
        "a payment whose command was evicted is 404 before it is decided",
        (_WINDOW.format("what_is_evicted_lies_before_the_beginning"),),
    ),
    Bug(
        "ingress",
        "ingress.following.window:_Generations.put",
        "self.young.setdefault(key, value)",
        "self.young[key] = value",
        "a payment is shown with the terms of the second body under its key",
        (_WINDOW.format("of_two_creates_of_a_payment_the_first_counts"),),
    ),
    Bug(
        "ingress",
        "ingress.following.window:CommandWindow.add",
        "except (msgspec.DecodeError, UnicodeError):",
        "except UnicodeError:",
        "a record that is no JSON ends the following of the log",
        (_WINDOW.format("what_is_no_command_of_a_client_is_passed_over"),),
    ),
    Bug(
        "ingress",
        "ingress.following.window:CommandWindow._keep",
        "self._values.turn()",
        "str(position)",
        "the memory for commands grows without a limit",
        (_WINDOW.format("only_the_last_commands_are_kept_as_they_are"),),
    ),
    Bug(
        "ingress",
        "ingress.following.accepted:FollowedCommands._look",
        "found is None and self._decided.get(partition, 0) < begin",
        "False",
        "what lies outside of the window is 404 though it waits for its decision",
        (_WRITES.format("outside_of_the_window_nothing_is_said_unless_all_of_it_is_decided"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.following.accepted:FollowedCommands._look",
        "await self._follower.catch_up([partition])",
        "await self._follower.catch_up([])",
        "a payment is 404 in the moments after its 202",
        (_WRITES.format("a_read_waits_for_the_log_to_be_read_to_its_end"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.following.accepted:FollowedCommands._begin",
        "max(self._decided[each], end - most)",
        "end",
        "after a restart of the ingress payments that wait are unknown",
        (_WRITES.format("a_replica_that_starts_later_knows_what_is_not_decided"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.following.accepted:FollowedCommands._begin",
        "min(max(committed[each], first), end)",
        "end",
        "after a restart of the ingress all that it does not know counts as decided",
        (_WRITES.format("a_replica_that_starts_later_knows_what_is_not_decided"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.following.accepted:FollowedCommands._value",
        "if (known := self._window.value(partition, offset)) is not None:",
        "if (known := self._window.value(partition, offset) or b'{}') is not None:",
        "a payment that waits for long is 404",
        (_WRITES.format("a_replica_that_starts_later_knows_what_is_not_decided"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.following.accepted:FollowedCommands._find",
        "raise NotKnownYetError from error",
        "return None",
        "while the log is away every payment that waits is 404",
        (_WRITES.format("without_a_log_nothing_is_said_and_then_it_is_read_on"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.routes.current:undecided",
        "if found is not None: return found if command is None",
        "if command is None",
        "a payment that is decided while it is looked for is 404",
        (_WRITES.format("a_payment_that_is_decided_between_two_looks_is_found"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.routes.current:undecided",
        "or _is_rejected(decision)",
        "",
        "a create that was rejected is shown as a payment that waits",
        (_WRITES.format("a_create_that_was_rejected_is_no_payment"),),
        servers=True,
    ),
    Bug(
        "messaging",
        "messaging.end_offsets:EndOffsets._ask",
        "self._current, self._next = self._next, None found: Mapping[TopicPartition, int] "
        "= await self._consumer.end_offsets(list(wanted))",
        "found: Mapping[TopicPartition, int] = await self._consumer.end_offsets(list(wanted)); "
        "self._current, self._next = self._next, None",
        "a reader gets the end of before its own write",
        (_ENDS.format("a_later_question_does_not_get_the_answer_of_an_earlier_one"),),
    ),
    Bug(
        "messaging",
        "messaging.end_offsets:EndOffsets.of",
        "if asked.cancelled():",
        "if False:",
        "a request is cancelled because a connection was closed",
        (_ENDS.format("a_question_that_is_under_way_when_it_is_closed_fails"),),
    ),
    Bug(
        "sql",
        "postgres.reads:OPERATION",
        "and tenant = %(tenant)s",
        "",
        "a client reads another tenant's operation",
        (_STORED.format("an_operation_of_another_tenant_or_none_is_404"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.reads:COMMAND",
        "or event_id ^@ (%(event_id)s || '@')",
        "",
        "an operation on which our own code failed is 404",
        (_STORED.format("a_command_that_waits_is_an_accepted_operation"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.routes.current:as_operation",
        "shown_reason(operation.payment_id, found.outcome, found.reason)",
        "found.reason",
        "a client reads the text of our own defect in its operation",
        (_STORED.format("a_command_that_waits_is_an_accepted_operation"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.routes.payment_commands:_answered",
        'f"/v1/operations/{accepted.operation.id}"',
        'f"/v1/payments/{accepted.payment_id}"',
        "a client that follows Location does not learn of a rejection",
        (_COMMANDS.format("an_operation_is_published_and_accepted"),),
    ),
)
