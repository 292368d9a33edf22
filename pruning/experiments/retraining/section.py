"""The section of a retraining benchmark: command, protocol, tables, sources."""

from collections.abc import Sequence
from typing import Any

from pruning.experiments.results_document import to_markdown
from pruning.experiments.retraining.base import Part, ResultTable, RetrainingBenchmark, Runs
from pruning.training.spec import RunSpec


def missing_runs(specs: Sequence[RunSpec], runs: Runs) -> list[str]:
    """Return the names of the runs that are not finished.

    Parameters
    ----------
    specs : sequence of RunSpec
        All runs of a benchmark.
    runs : mapping of RunSpec to FinishedRun
        The finished ones.

    Returns
    -------
    list of str
        In the order of the specifications.
    """
    return [spec.name for spec in specs if spec not in runs]


def section_body(benchmark: RetrainingBenchmark, runs: Runs, seeds: int, command: str = "") -> str:
    """Describe a benchmark and its tables in Markdown.

    Parameters
    ----------
    benchmark : RetrainingBenchmark
        What was trained.
    runs : mapping of RunSpec to FinishedRun
        The finished runs.
    seeds : int
        Number of runs of each setting.
    command : str
        What has measured them; by default, the command of the benchmark.

    Returns
    -------
    str
        The section without its title.
    """
    command = command or f"python -m pruning benchmark {benchmark.name} --seeds {seeds}"
    missing = missing_runs(benchmark.specs(seeds), runs)
    paragraphs = [
        f"Measured by `{command}`.",
        benchmark.protocol,
        _describe_seeds(seeds, are_all_finished=not missing),
    ]
    for part in benchmark.function(runs, seeds):
        paragraphs += _to_paragraphs(part)
    if benchmark.sources:
        paragraphs.append(f"Published: {benchmark.sources}")
    if benchmark.differences:
        paragraphs.append(f"Differences of protocol: {benchmark.differences}")
    if missing:
        paragraphs.append(f"Not finished, and not in the tables: {', '.join(missing)}.")
    return "\n\n".join(paragraphs)


def section_text(benchmark: RetrainingBenchmark, runs: Runs, seeds: int) -> str:
    """Format the tables of a benchmark for a terminal.

    Parameters
    ----------
    benchmark : RetrainingBenchmark
        What was trained.
    runs : mapping of RunSpec to FinishedRun
        The finished runs.
    seeds : int
        Number of runs of each setting.

    Returns
    -------
    str
        Title, paragraphs and tables.
    """
    lines = [benchmark.title, ""]
    for part in benchmark.function(runs, seeds):
        if isinstance(part, ResultTable):
            lines += [part.caption, part.frame.to_string(index=False), ""]
        else:
            lines += [part, ""]
    return "\n".join(lines)


def section_dict(benchmark: RetrainingBenchmark, runs: Runs, seeds: int) -> dict[str, Any]:
    """Convert the tables and the runs of a benchmark to JSON values.

    Parameters
    ----------
    benchmark : RetrainingBenchmark
        What was trained.
    runs : mapping of RunSpec to FinishedRun
        The finished runs.
    seeds : int
        Number of runs of each setting.

    Returns
    -------
    dict
        Texts of the tables as shown, numbers of each run, and names of missing runs.
    """
    tables, notes = [], []
    for part in benchmark.function(runs, seeds):
        if isinstance(part, ResultTable):
            tables.append({"caption": part.caption, "rows": part.frame.to_dict("records")})
        else:
            notes.append(part)
    measured = []
    for spec, run in runs.items():
        content = {
            "name": spec.name,
            "seed": spec.seed,
            "epochs": run.card.epochs,
            "test_accuracy": run.card.test_accuracy,
            "validation_accuracy": run.card.validation_accuracy,
        }
        measured.append(content)
    return {
        "benchmark": benchmark.name,
        "seeds": seeds,
        "tables": tables,
        "notes": notes,
        "runs": measured,
        "missing": missing_runs(benchmark.specs(seeds), runs),
    }


def _describe_seeds(seeds: int, *, are_all_finished: bool) -> str:
    if seeds == 1:
        return "One run of each setting: the spread over seeds is not known."
    shown = "the" if are_all_finished else "those finished of the"
    return f"Mean ± standard deviation over {shown} seeds 0 to {seeds - 1}."


def _to_paragraphs(part: Part) -> list[str]:
    if isinstance(part, ResultTable):
        return [f"{part.caption}:", to_markdown(part.frame)]
    return [part]
