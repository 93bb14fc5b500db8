"""``python -m sandbox.stripe_simulator``: serve until interrupted."""

import os
import sys

from pydantic import ValidationError

from sandbox.stripe_simulator.server import create_server
from sandbox.stripe_simulator.settings import SimulatorSettings, describe_refusal, unknown_settings


def main() -> int:
    """Read and check the settings, then serve; return the exit code."""
    unknown = unknown_settings(os.environ)
    if unknown:
        print(f"stripe simulator: no such setting: {', '.join(unknown)}", file=sys.stderr)
        return 2
    try:
        settings = SimulatorSettings()
    except ValidationError as error:
        for line in describe_refusal(error):
            print(f"stripe simulator: {line}", file=sys.stderr)
        return 2
    print(f"stripe simulator: {settings.base_url}", flush=True)
    create_server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
