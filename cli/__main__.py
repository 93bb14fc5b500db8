"""``python -m cli``: as ``payments``, where no console script is installed."""

from cli.main import run

if __name__ == "__main__":
    run()
