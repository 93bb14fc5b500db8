"""``python -m cli`` is ``payments``, for when the console script is not installed."""

from cli.main import run

if __name__ == "__main__":
    run()
