"""The command ``study``: many recipes and runs of one file, and their report."""

from pathlib import Path

import click

from pruning.cli.options import (
    TorchCommand,
    cluster_option,
    data_dir_option,
    device_option,
    fetch_dataset,
    progress_bar,
    runs_folder_option,
)
from pruning.runtime.errors import PrunescopeError


@click.command(cls=TorchCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the table and the report [default: that of the file, by its name].",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say how many points there are and how long they take: a few are measured for it, and "
    "stored.",
)
@runs_folder_option
@cluster_option
@device_option
@data_dir_option
def study(file: Path, results: Path | None, dry_run: bool) -> None:
    """Measure the grids of a TOML file.

    A table and a report are written, and a section of a document if the file names one. Results
    are stored: an interrupted study continues where it stopped.
    """
    from pruning.experiments.results_document import replace_section
    from pruning.experiments.study.expansion import expand, match_budgets
    from pruning.experiments.study.measurement import estimate_time, measure
    from pruning.experiments.study.results import (
        curves_by_pair,
        dense_accuracies,
        results_table,
        unmet_budgets,
    )
    from pruning.experiments.study.section import study_section
    from pruning.experiments.study.study_file import parse_study
    from pruning.figures.study_report import study_report
    from pruning.runtime.atomic_write import atomic_write

    text = _read(file)
    parsed = parse_study(text, file.name)
    points = expand(parsed, file.name)
    folder = results or file.with_suffix("")
    document = file.parent / parsed.document if parsed.document else None
    _check_outputs(file, folder, document, parsed.title)
    for dataset in dict.fromkeys(point.recipe.dataset for point in points):
        fetch_dataset(dataset)
    with progress_bar("matching budgets", delay=1) as report:
        points = match_budgets(points, report)
    with progress_bar("timing", delay=1) as report:
        expected = estimate_time(parsed, points, report)
    click.echo(expected.describe())
    if dry_run:
        return
    with progress_bar("measuring") as report:
        evaluations = measure(parsed, points, report)
    table = results_table(points, evaluations)
    page = study_report(
        parsed,
        text,
        curves_by_pair(points, evaluations),
        dense_accuracies(points, evaluations),
        table,
        unmet_budgets(points),
    )
    with atomic_write(folder / "table.csv") as temporary:
        table.to_csv(temporary, index=False)
    with atomic_write(folder / "table.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    with atomic_write(folder / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    click.echo(f"{folder}: table.csv, table.parquet and report.html")
    if document is not None:
        name = f"{file.absolute().parent.name}/{file.name}"
        replace_section(document, parsed.title, study_section(parsed, points, evaluations, name))
        click.echo(f"{document}: section {parsed.title!r}")


def _check_outputs(file: Path, folder: Path, document: Path | None, title: str) -> None:
    """Check, before hours of work, that the results can be written."""
    from pruning.experiments.results_document import check_document

    if folder.exists() and not folder.is_dir():
        raise PrunescopeError(f"{folder} is not a folder: choose one for the results by --results")
    if document is None:
        return
    if document.exists() and document.samefile(file):
        raise PrunescopeError(f"{file}: the document of a study cannot be the study itself")
    check_document(document, title)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PrunescopeError(f"{file} is not a text file in UTF-8") from error
