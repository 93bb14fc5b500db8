"""The folder with everything the sandbox keeps between starts."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import InvalidSettingError, StateInUseError

USUAL_NAME: Final = ".sandbox"


@dataclass(frozen=True)
class StateFolder:
    """The paths under ``root``."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log per program."""
        return self.root / "logs"

    @property
    def kafka(self) -> Path:
        """The brokers' data."""
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        """The database's data and password."""
        return self.root / "postgres"

    @property
    def simulator(self) -> Path:
        """The simulated provider's data."""
        return self.root / "simulator"

    @property
    def stream(self) -> Path:
        """The stream program's tables."""
        return self.root / "stream"

    @property
    def secrets(self) -> Path:
        """Keys and signing secrets."""
        return self.root / "secrets.json"

    @property
    def environment(self) -> Path:
        """The environment of the running sandbox's clients, as KEY=VALUE lines."""
        return self.root / "env"

    @property
    def lock(self) -> Path:
        """Locked while a sandbox runs; it also marks the folder as a sandbox's."""
        return self.root / "sandbox.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder if needed, and lock it against other sandboxes.

        Raises:
            StateInUseError: another sandbox is running on it.
            InvalidSettingError: it holds somebody else's files.
        """
        self._refuse_foreign()
        self.root.mkdir(parents=True, exist_ok=True)
        # The system releases the lock when the process ends, even if it is killed.
        with self.lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise StateInUseError(
                    f"a sandbox is running on {self.root} (pid {file.read().strip()}): stop it "
                    "first, or set PAYMENTS_SANDBOX_DIRECTORY to another folder"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def remove(self) -> bool:
        """Remove the folder; return False if there was none.

        Raises:
            StateInUseError: a sandbox is running on it.
            InvalidSettingError: it holds somebody else's files.
        """
        if not self.root.exists():
            return False
        with self.locked():
            shutil.rmtree(self.root)
        return True

    def _refuse_foreign(self) -> None:
        if not self.root.exists() or self.root.name == USUAL_NAME or self.lock.exists():
            return
        if any(self.root.iterdir()):
            raise InvalidSettingError(
                f"PAYMENTS_SANDBOX_DIRECTORY: {self.root} contains other files than a sandbox's; "
                "name a new or empty folder"
            )
