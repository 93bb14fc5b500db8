"""Shows the progress of each step at the terminal, and how long it took."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TaskID, TextColumn

from sandbox.supervision.supervisor import State

ENDED: Final = {
    State.READY: "[green]ready[/]  ",
    State.RESTARTED: "[yellow]again[/]  ",
    State.STOPPED: "stopped",
    State.FAILED: "[red]failed[/] ",
}


class Display:
    """A spinner for each running step, and a line for each finished one.

    Without a terminal only the lines are written. No spinner is drawn between steps, so other
    output stays intact.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def observe(self, name: str, state: State, seconds: float) -> None:
        """Show a step's new state; a ``supervisor.Observer``."""
        if state not in ENDED:
            if not self._tasks:
                self._progress.start()
            verb = "starting" if state is State.STARTED else "stopping"
            self._tasks[name] = self._progress.add_task(f"{verb} {name}")
            return
        if (task := self._tasks.pop(name, None)) is not None:
            self._progress.remove_task(task)
        if not self._tasks:
            self._progress.stop()
        self._progress.console.print(f"  {ENDED[state]} {name:<16} {seconds:6.2f} s")


class DownloadBar:
    """A download's progress bar, shown from the first byte on. A context manager."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            DownloadColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._progress.stop()

    def advance(self, received: int, total: int) -> None:
        """Show that ``received`` of ``total`` bytes have arrived."""
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task(self._title, total=total)
        self._progress.update(self._task, completed=received)
