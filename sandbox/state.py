"""The folder that holds everything the sandbox keeps between two starts."""

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
    """Where things are under `root`."""

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
        """What the simulated provider remembers."""
        return self.root / "simulator"

    @property
    def stream(self) -> Path:
        """The stream processor's tables."""
        return self.root / "stream"

    @property
    def secrets(self) -> Path:
        """Keys and signing secrets."""
        return self.root / "secrets.json"

    @property
    def environment(self) -> Path:
        """What a client of the running sandbox needs, as KEY=VALUE lines."""
        return self.root / "env"

    @property
    def lock(self) -> Path:
        """Held while a sandbox runs; also the mark that a sandbox made this folder."""
        return self.root / "sandbox.lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder if need be, and keep every other sandbox out of it.

        Raises:
            StateInUseError: another sandbox is running on it.
            InvalidSettingError: it holds somebody else's files.
        """
        self._refuse_foreign()
        self.root.mkdir(parents=True, exist_ok=True)
        # The system drops the lock at the holder's end, whatever that end is.
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
        """Remove the folder; False when there was none.

        Raises:
            StateInUseError: a sandbox is running on it.
            InvalidSettingError: it holds somebody else's files.
        """
        if not self.root.exists():
            return False
        with self.held():
            shutil.rmtree(self.root)
        return True

    def _refuse_foreign(self) -> None:
        if not self.root.exists() or self.root.name == USUAL_NAME or self.lock.exists():
            return
        if any(self.root.iterdir()):
            raise InvalidSettingError(
                f"PAYMENTS_SANDBOX_DIRECTORY: {self.root} holds files no sandbox made; "
                "name a new or empty folder"
            )
