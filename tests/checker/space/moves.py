"""The inputs that can come next: any fact that can exist by now, and the next commands."""

from collections.abc import Iterator

from domain.inputs import Refund
from domain.payment import Payment
from domain.status import Status
from domain.transitions import is_final
from tests.checker.space.node import Node
from tests.checker.space.script import CREATE, Script


def next_inputs(script: Script, node: Node, payment: Payment | None) -> Iterator[int]:
    """Yield the number of every input that can come for the first time.

    This includes commands that will be rejected. A report that needs a call comes after that call.
    """
    if payment is None:
        yield CREATE
    calls = payment.calls if payment is not None else frozenset[str]()
    delivered = node.delivered
    for number in script.reported:
        needed = script.needs[number]
        if number not in delivered and (not needed or needed in calls):
            yield number
    yield from _next_commands(script, delivered, payment)


def _next_commands(
    script: Script, delivered: frozenset[int], payment: Payment | None
) -> Iterator[int]:
    """Yield the client's next command of each kind, which is repeated until it is accepted.

    A command that can never be accepted is skipped. Commands of different kinds come in any order.
    """
    kinds = set()
    for number in script.commands:
        kind = type(script.first[number].input.body)
        if kind in kinds or number in delivered or _is_never_accepted(script, number, payment):
            continue
        kinds.add(kind)
        yield number


def _is_never_accepted(script: Script, number: int, payment: Payment | None) -> bool:
    if payment is None or not is_final(payment.status):
        return False
    is_refund = isinstance(script.first[number].input.body, Refund)
    return not (is_refund and payment.status is Status.SUCCEEDED)
