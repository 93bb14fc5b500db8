"""The errors of a chaos run."""

from sandbox.errors import SandboxError


class ChaosError(SandboxError):
    """The run cannot continue; one line for the user."""
