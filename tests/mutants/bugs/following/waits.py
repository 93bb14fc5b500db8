"""Bugs of waiting for a decision."""

from typing import Final

from tests.mutants.planted import Bug

_WAITERS: Final = "tests/ingress/following/test_waiters.py::test_{}"
_WAITS: Final = "tests/ingress/following/test_waits.py::test_{}"
_PREFERENCE: Final = "tests/ingress/following/test_preference.py"

BUGS: Final = (
    Bug(
        "ingress",
        "ingress.following.preference:_seconds",
        "min(int(text), WAIT_MAX_S)",
        "int(text)",
        "a client occupies a waiter for a year",
        (_PREFERENCE,),
    ),
    Bug(
        "ingress",
        "ingress.following.preference:_seconds",
        "text.isascii() and text.isdecimal()",
        "text.strip('-').isdecimal()",
        "a negative time to wait makes an error of a wish",
        (_PREFERENCE,),
    ),
    Bug(
        "ingress",
        "ingress.following.waiters:Waiter.note_operation",
        "head.id != self.operation_id or self._status in _FINAL",
        "self._status in _FINAL",
        "a client gets the end of another operation for its own",
        (_WAITERS.format("another_operation_waits_until_it_is_final"),),
    ),
    Bug(
        "ingress",
        "ingress.following.waiters:Waiter.note_operation",
        "or self._status in _FINAL",
        "",
        "a repetition after a crash makes a done operation an applied one",
        (_WAITERS.format("a_final_operation_stays_what_it_is"),),
    ),
    Bug(
        "ingress",
        "ingress.following.waiters:Waiter.note_operation",
        "elif head.status in _IN_VAIN:",
        "else:",
        "a client that waits for its payment is answered while it is PROCESSING",
        (_WAITERS.format("a_done_create_goes_on_to_wait_for_its_payment"),),
    ),
    Bug(
        "ingress",
        "ingress.following.waiters:Waiter.note_payment",
        "if head.version < self._version: return",
        "",
        "an older version that is published again ends a wait",
        (_WAITERS.format("an_older_version_does_not_replace_a_newer_one"),),
    ),
    Bug(
        "ingress",
        "ingress.following.waiters:Waiter._end_soon",
        "self.over.get_loop().call_later(SAME_MOMENT_S, self._end)",
        "str(at_once)",
        "without the answer to our own call a create's wait never ends",
        (
            _WAITERS.format(
                "a_payment_that_left_ends_a_creates_wait_though_its_operation_is_not_final"
            ),
        ),
    ),
    Bug(
        "ingress",
        "ingress.following.waiters:Waiters.remove",
        "self._count -= 1",
        "self._count -= 0",
        "after as many waits as fit at a time nobody can wait any more",
        (_WAITERS.format("no_more_requests_wait_than_there_is_room_for"),),
    ),
    Bug(
        "ingress",
        "ingress.following.waiters:Waiters.take",
        "_is_quarantined(record)",
        "False",
        "a client that waited does not see that its payment is quarantined",
        (_WAITERS.format("a_version_is_as_the_api_returns_it"),),
    ),
    Bug(
        "ingress",
        "ingress.following.waiters:Waiters.close",
        "self.end_all()",
        "",
        "waiting clients hold up a shutdown until they are cut off",
        (_WAITERS.format("a_closing_process_ends_all_waits"),),
    ),
    Bug(
        "ingress",
        "ingress.http.protocol:IngressProtocol.shutdown",
        "self._connections.shut_down()",
        "",
        "a shutdown waits for the clients that wait, and cuts them off",
        ("tests/ingress/following/test_shutdown.py::test_a_shutdown_ends_waits_with_202",),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.following.changes:FollowedChanges._follow",
        "finally: self._following = None self._is_current.clear() self._follower.pause() "
        "self._waiters.end_all()",
        "finally: self._following = None; self._is_current.clear(); self._follower.pause()",
        "who waits when the log's connection is lost waits in vain",
        (_WAITS.format("a_process_that_does_not_follow_answers_at_once"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.following.changes:FollowedChanges.__init__",
        "paused=True,",
        "",
        "every ingress process reads every version though nobody waits",
        (_WAITS.format("nothing_is_fetched_while_nobody_waits"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.routes.payment_commands:_accept",
        "await note_stored(context, operation.tenant, named, waiter)",
        "str(named)",
        "a retry of what was decided waits in vain",
        (_WAITS.format("a_retry_of_what_was_decided_before_waits_for_nothing"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.routes.waiting:_client_left",
        'while (await request.receive())["type"] != "http.disconnect": pass',
        "await waiter.over",
        "a client that left occupies its waiter until the end",
        (_WAITS.format("a_client_that_leaves_frees_its_waiter"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.routes.waiting:waiter_of",
        "finally: context.waits.end(waiter)",
        "finally: str(waiter)",
        "a waiter is never free again",
        (_WAITS.format("without_a_free_waiter_the_answer_comes_at_once"),),
        servers=True,
    ),
)
