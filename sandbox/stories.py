"""Payment stories, as a table: how a payment is created, who acts when, and how it ends.

The demo, the tests' load and the deterministic simulation run stories of these types. A story
acts only on the published versions of its payment, as any client of the service does.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final

Json = dict[str, Any]
#: Whether a published version of the payment meets a condition.
Condition = Callable[[Json], bool]


def status(*names: str) -> Condition:
    """The payment has one of these statuses."""
    return lambda payment: payment["status"] in names


def awaiting(action: str) -> Condition:
    """The payment requires this action."""
    return lambda payment: bool((payment["next_action"] or {}).get("type") == action)


def amount(name: str, minor_units: int) -> Condition:
    """This amount of the payment (``captured``, ``refunded``, ...) has exactly this value."""
    return lambda payment: bool(payment["amounts"][name] == minor_units)


#: The customer authenticates with the bank.
AUTHENTICATES: Final = "customer authenticates"


@dataclass(frozen=True, slots=True)
class Rule:
    """An action on a version that meets the condition, at most ``times`` times.

    Args:
        when: the condition.
        operation: an operation of the API, or an act of the customer or the bank.
        body: the body of the API's operation.
        share: the operation's amount as a share of the payment's (in the simulation only).
        times: how often the action is taken, each time on another version.
        after_s: seconds before the action.
    """

    when: Condition
    operation: str
    body: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    share: float | None = None
    times: int = 1
    after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story.

    Args:
        title: its name in the demo.
        amount: the payment's amount in minor units of EUR.
        create: the rest of the body that creates it.
        ends: the expected end.
        rules: the actions of its client, its customer and its bank.
    """

    title: str
    amount: int
    create: Mapping[str, Any]
    ends: Condition
    rules: tuple[Rule, ...] = ()

    @property
    def body(self) -> Json:
        """The body that creates the payment."""
        return {"amount": self.amount, "currency": "EUR", **self.create}


VISA: Final = "pm_card_visa"
DECLINED: Final = "pm_card_chargeDeclined"
AUTHENTICATION: Final = "pm_card_authenticationRequired"
MANUAL: Final = {"payment_method": VISA, "capture_method": "manual"}
BACK: Final = {"return_url": "https://shop.example/back"}

STORIES: Final[Mapping[str, Story]] = {
    "success": Story(
        title="paid at once",
        amount=1999,
        create={"payment_method": VISA},
        ends=status("SUCCEEDED"),
    ),
    "decline_then_success": Story(
        title="declined, then paid with another card",
        amount=4500,
        create={"payment_method": DECLINED, "max_attempts": 3},
        ends=status("SUCCEEDED"),
        rules=(Rule(awaiting("new_payment_method"), "confirm", {"payment_method": VISA}),),
    ),
    "action": Story(
        title="the customer has to authenticate",
        amount=12_000,
        create={"payment_method": AUTHENTICATION, **BACK},
        ends=status("SUCCEEDED"),
        rules=(Rule(awaiting("redirect"), AUTHENTICATES),),
    ),
    "manual_capture": Story(
        title="authorized, then part of it captured",
        amount=9000,
        create=MANUAL,
        ends=amount("captured", 6000),
        rules=(Rule(status("AUTHORIZED"), "capture", {"amount": 6000}),),
    ),
    "cancel": Story(
        title="authorized, then cancelled",
        amount=2500,
        create=MANUAL,
        ends=status("CANCELED"),
        rules=(Rule(status("AUTHORIZED"), "cancel"),),
    ),
    "refund": Story(
        title="paid, then refunded in two parts",
        amount=3000,
        create={"payment_method": VISA},
        ends=amount("refunded", 3000),
        rules=(
            Rule(status("SUCCEEDED"), "refunds", {"amount": 1000}),
            Rule(amount("refunded", 1000), "refunds", {"amount": "all"}),
        ),
    ),
    "declined": Story(
        title="declined for good",
        amount=700,
        create={"payment_method": DECLINED},
        ends=status("FAILED"),
    ),
}
