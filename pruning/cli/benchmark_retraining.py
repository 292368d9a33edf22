"""The commands ``benchmark NAME`` of retraining: runs, and tables beside published results."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pruning.cli.options import (
    FILE,
    TorchCommand,
    data_dir_option,
    device_option,
    fetch_dataset,
    json_option,
    print_json,
    runs_folder_option,
)

if TYPE_CHECKING:
    from pruning.experiments.retraining.base import RetrainingBenchmark, Runs
    from pruning.training.run import RunProgress

HELPS = {
    "lenet-records": "LeNet-300-100 and LeNet-5-Caffe: test error against compression.",
    "lottery": "LeNet-300-100: lottery tickets beside their controls.",
    "sparsify": "LeNet-300-100: L1, L2 and group lasso against their strength.",
    "structured-lenet5-caffe": "LeNet-5-Caffe: filters and hidden units.",
    "resnet20-finetune": "ResNet-20: weights and filters, fine-tuned for 10 epochs.",
}
"""Every benchmark of retraining, here because help needs no PyTorch."""
DETAILS = (
    "Finished runs are not trained again, and an interrupted run is continued: the command can be "
    "repeated until all runs are finished. `runs list` shows them."
)


def retraining_command(name: str) -> click.Command:
    """Make the command of a benchmark.

    Parameters
    ----------
    name : str
        Key in ``RETRAINING_BENCHMARKS``.

    Returns
    -------
    click.Command
        ``benchmark NAME``.
    """

    @click.command(name=name, cls=TorchCommand, help=f"{HELPS[name]}\n\n{DETAILS}")
    @click.option(
        "--seeds",
        type=int,
        metavar="INTEGER",
        help="Number of runs of each setting [default: the usual one].",
    )
    @click.option(
        "--finished-only",
        is_flag=True,
        help="Do not train: make the tables of the finished runs, and name the missing ones.",
    )
    @device_option
    @runs_folder_option
    @click.option(
        "--write",
        type=FILE,
        metavar="FILE",
        help="Write the tables as a section of a Markdown document, such as docs/results.md.",
    )
    @click.option(
        "--data",
        type=FILE,
        metavar="FILE",
        help="Write test accuracy and cost of each run to a CSV file, such as "
        "assets/retrained.csv, which Curves shows; rows of other benchmarks are kept.",
    )
    @data_dir_option
    @json_option
    def command(
        seeds: int | None,
        finished_only: bool,
        write: Path | None,
        data: Path | None,
        as_json: bool,
    ) -> None:
        from pruning.experiments.retrained import benchmark_result, write_results
        from pruning.experiments.retraining import RETRAINING_BENCHMARKS
        from pruning.experiments.retraining.base import check_seeds, read_finished

        benchmark = RETRAINING_BENCHMARKS[name]
        count = benchmark.seeds if seeds is None else seeds
        if data is not None and not benchmark.has_curves:
            raise ValueError(f"the runs of {name} have no place on curves: leave out --data")
        check_seeds(count)
        if not finished_only:
            _train(benchmark, count)
        runs = read_finished(benchmark.specs(count))
        if data is not None:
            results = [benchmark_result(name, run.spec, run.card) for run in runs.values()]
            write_results(name, results, data)
        _show(benchmark, count, runs, write, as_json)

    return command


def _show(
    benchmark: "RetrainingBenchmark",
    seeds: int,
    runs: "Runs",
    write: Path | None,
    as_json: bool,
) -> None:
    from pruning.experiments.results_document import replace_section
    from pruning.experiments.retraining.section import (
        missing_runs,
        section_body,
        section_dict,
        section_text,
    )

    if write is not None:
        replace_section(write, benchmark.title, section_body(benchmark, runs, seeds))
    if as_json:
        print_json(section_dict(benchmark, runs, seeds))
        return
    click.echo(section_text(benchmark, runs, seeds))
    for name in missing_runs(benchmark.specs(seeds), runs):
        click.echo(f"missing, as it is not finished: {name}")


def _train(benchmark: "RetrainingBenchmark", seeds: int) -> None:
    """Train what is not finished, in the order of the benchmark."""
    from tqdm import tqdm

    from pruning.training.retrain import retrain

    specs = benchmark.specs(seeds)
    with tqdm(total=1000 * len(specs), desc=benchmark.name, disable=None, bar_format=_BAR) as bar:
        for number, spec in enumerate(specs):
            fetch_dataset(spec.recipe.dataset)

            def report(progress: "RunProgress", number: int = number) -> None:
                done = int(1000 * (number + progress.share))
                bar.update(done - bar.n)

            retrain(spec, report=report)
            bar.update(1000 * (number + 1) - bar.n)


_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
