"""The command line: the same path as the pages."""

import click

from pruning.cli import assets, compare, prune, sweeps
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.installation import check_torch


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Prunescope: see neural networks being pruned."""


for command in (
    prune.prune,
    compare.compare,
    sweeps.curve,
    sweeps.sensitivity,
    sweeps.plan,
    sweeps.store,
    assets.download,
    assets.train,
    assets.table,
    assets.list_,
):
    main.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """0 done, 1 something outside was not as it must be, 2 bad input; errors are one line on stderr."""
    try:
        check_torch()
        main.main(arguments, prog_name="python -m pruning", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        return 2
    except ValueError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except (PrunescopeError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    return 0
