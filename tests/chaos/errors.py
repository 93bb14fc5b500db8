"""What can go wrong with a chaos run itself."""

from sandbox.errors import SandboxError


class ChaosError(SandboxError):
    """The run can't go on: one line for the person at the keyboard."""
