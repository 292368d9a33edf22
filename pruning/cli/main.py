"""The command line: entry point, commands and exit codes."""

import sys

import click
from click.exceptions import NoArgsIsHelpError

from pruning.cli.app import app
from pruning.cli.benchmark import benchmark
from pruning.cli.benchmark_retraining import HELPS, retraining_command
from pruning.cli.compare import compare
from pruning.cli.curve import curve
from pruning.cli.download import download
from pruning.cli.list_registries import list_registries
from pruning.cli.plan import plan
from pruning.cli.prune import prune
from pruning.cli.retrain import retrain
from pruning.cli.runs import runs
from pruning.cli.sensitivity import sensitivity
from pruning.cli.store import store
from pruning.cli.study import study
from pruning.cli.table import table
from pruning.cli.train import train
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.process import COMMAND_SPIN_COUNT, configure_process

EXIT_DONE = 0
EXIT_OUTSIDE = 1
"""Something outside the program is missing or broken, such as a file or the network connection."""
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
MAX_MESSAGE = 500
"""Characters of an error message, which may quote input of any length."""
MAX_WORD = 100
SHORTENED_WORD = 40


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Prunescope: see neural networks being pruned."""


for benchmark_name in HELPS:
    benchmark.add_command(retraining_command(benchmark_name))
main.add_command(app)
main.add_command(prune)
main.add_command(compare)
main.add_command(curve)
main.add_command(sensitivity)
main.add_command(plan)
main.add_command(benchmark)
main.add_command(store)
main.add_command(study)
main.add_command(download)
main.add_command(train)
main.add_command(retrain)
main.add_command(runs)
main.add_command(table)
main.add_command(list_registries)


def run(arguments: list[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments of the command line; those of the process by default.

    Returns
    -------
    int
        Exit code: 0 done, 1 something outside the program is missing or broken, 2 bad input, 130
        interrupted. Errors are one line on stderr.
    """
    configure_process(COMMAND_SPIN_COUNT)  # before torch is imported
    try:
        main.main(arguments, prog_name="python -m pruning", standalone_mode=False)
    except NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_BAD_INPUT
    except click.ClickException as error:
        return _fail(error.format_message(), EXIT_BAD_INPUT)
    except ValueError as error:
        return _fail(str(error), EXIT_BAD_INPUT)
    except OSError as error:
        return _fail(_describe_os_error(error), EXIT_OUTSIDE)
    except PrunescopeError as error:
        return _fail(str(error), EXIT_OUTSIDE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return EXIT_INTERRUPTED
    return EXIT_DONE


def main_and_exit() -> None:
    """Run the command of this process and exit: the entry point of ``prunescope``."""
    sys.exit(run())


def _fail(message: str, code: int) -> int:
    line = " ".join(_shorten_word(word) for word in message.split())
    if len(line) > MAX_MESSAGE:
        line = f"{line[:MAX_MESSAGE]}..."
    click.echo(f"error: {line}", err=True)
    return code


def _shorten_word(word: str) -> str:
    """Shorten a long number or name; a path stays complete."""
    if len(word) <= MAX_WORD or "/" in word:
        return word
    return f"{word[:SHORTENED_WORD]}..."


def _describe_os_error(error: OSError) -> str:
    """Describe an error of the operating system without its number."""
    if error.strerror is None:
        return str(error)
    reason = error.strerror.lower()
    return reason if error.filename is None else f"{error.filename}: {reason}"
