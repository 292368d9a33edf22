"""``python -m pruning``: the command line."""

from pruning.cli.main import main_and_exit

if __name__ == "__main__":
    main_and_exit()
