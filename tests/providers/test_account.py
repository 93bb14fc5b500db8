"""An event is ours only if it has our account and our mode, live or test."""

import pytest

from ports.provider import Account


@pytest.mark.parametrize("account_is_live", [True, False])
@pytest.mark.parametrize("event_is_live", [True, False])
@pytest.mark.parametrize("name", ["acct_ours", "acct_other", None])
def test_only_events_of_our_account_and_mode_are_accepted(
    name: str | None, *, account_is_live: bool, event_is_live: bool
) -> None:
    """An event that names no account belongs to ours, but must still have our mode."""
    why = Account("acct_ours", is_live=account_is_live).refuses(name, is_live=event_is_live)
    assert (why is None) is (name != "acct_other" and event_is_live is account_is_live)
