"""The state folder belongs to one sandbox at a time, and only a sandbox's folder is removed."""

from pathlib import Path

import pytest

from sandbox.errors import InvalidSettingError, StateInUseError
from sandbox.state import StateFolder


def test_it_is_removed_whole(tmp_path: Path) -> None:
    """Reset removes everything, and reports whether there was anything."""
    state = StateFolder(tmp_path / ".sandbox")
    with state.locked():
        state.secrets.write_text("{}")
    assert state.remove()
    assert not state.root.exists()
    assert not state.remove()


def test_it_is_not_removed_under_a_running_sandbox(tmp_path: Path) -> None:
    """Reset refuses while a sandbox uses the folder, and names its process."""
    state = StateFolder(tmp_path / ".sandbox")
    with state.locked():
        with pytest.raises(StateInUseError, match="pid"):
            state.remove()
        assert state.root.exists()


def test_two_sandboxes_do_not_share_it(tmp_path: Path) -> None:
    """The second is refused until the first has ended."""
    state = StateFolder(tmp_path / ".sandbox")
    with state.locked(), pytest.raises(StateInUseError), state.locked():
        pass
    with state.locked():
        pass


def test_a_folder_of_other_files_is_neither_used_nor_removed(tmp_path: Path) -> None:
    """If the folder is mistyped, no file is lost."""
    (tmp_path / "thesis.txt").write_text("chapter 1")
    state = StateFolder(tmp_path)
    with pytest.raises(InvalidSettingError, match="PAYMENTS_SANDBOX_DIRECTORY"), state.locked():
        pass
    with pytest.raises(InvalidSettingError):
        state.remove()
    assert (tmp_path / "thesis.txt").exists()
