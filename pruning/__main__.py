"""``python -m pruning``: the command line."""

import sys

from pruning.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
