"""Whose an event is: of our account and our mode, or not ours at all."""

import pytest

from ports.provider import Account


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("theirs", [True, False])
@pytest.mark.parametrize("name", ["acct_ours", "acct_other", None])
def test_only_what_is_of_our_account_and_mode_is_ours(
    name: str | None, *, ours: bool, theirs: bool
) -> None:
    """An event that names no account is of the one that was asked, and still of one mode."""
    why = Account("acct_ours", is_live=ours).refuses(name, is_live=theirs)
    assert (why is None) is (name != "acct_other" and theirs is ours)
