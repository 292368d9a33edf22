"""Retraining runs on a cluster of Dask: a task for each epoch, so that a lost worker costs one.

After each epoch the state of the run travels back and is written where it would be without a
cluster: progress, cancelling and continuing are the same.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pruning.engine.cluster import RETRIES, connected_client, finished_futures, result_of
from pruning.engine.cluster_files import Files, files_of, install, key_of_files, worker_folder
from pruning.engine.cluster_versions import check_versions, own_versions
from pruning.engine.run_checkpoint import CARD, WEIGHTS
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import Cancelled
from pruning.runtime.progress import ShareReport, ignore_progress
from pruning.training.retrain import retrain
from pruning.training.run import RunProgress
from pruning.training.run_files import RECORDS, STATE, RunFiles
from pruning.training.spec import RunSpec, spec_from_dict, spec_to_dict

if TYPE_CHECKING:
    from distributed import Client, Future

RESULTS = (WEIGHTS, RECORDS, CARD)
"""Files of a finished run; the card last, because it says that the others are there."""


def retrain_on_cluster(specs: Sequence[RunSpec], report: ShareReport = ignore_progress) -> None:
    """Train runs on the cluster, each on one worker at a time.

    Parameters
    ----------
    specs : sequence of RunSpec
        Different runs; finished ones are left out.
    report : callable
        Called often with the share of the epochs that are done; if it raises, every finished epoch
        is kept.

    Raises
    ------
    ClusterError, RunError
        See `evaluate_on_cluster` and `retrain`.
    """
    missing = [spec for spec in specs if not RunFiles(spec.name).is_finished]
    if not missing:
        return
    client = connected_client()
    epochs = {spec.name: len(RunFiles(spec.name).records()) for spec in missing}
    total = sum(spec.total_epochs for spec in missing)
    waiting: dict[Future, RunSpec] = {}

    def check() -> None:
        report(min(1.0, sum(epochs.values()) / total))

    with ExitStack() as locks:
        for spec in missing:
            files = RunFiles(spec.name)
            locks.enter_context(files.locked())
            files.save_spec(spec)
        try:
            for spec in missing:
                waiting[_submit(client, spec)] = spec
            while waiting:
                for future in finished_futures(client, waiting, check):
                    spec = waiting.pop(future)
                    files = RunFiles(spec.name)
                    _write(files, result_of(future))
                    epochs[spec.name] = len(files.records())
                    if not files.is_finished:
                        waiting[_submit(client, spec)] = spec
        finally:
            for future in waiting:
                future.release()


def _submit(client: "Client", spec: RunSpec) -> "Future":
    state = RunFiles(spec.name).folder / STATE
    content = state.read_bytes() if state.is_file() else b""
    digest = hashlib.sha256(content).hexdigest()[:16]
    shipped = files_of(spec.recipe) if key_of_files(spec.recipe) else None
    return client.submit(
        train_epoch,
        json.dumps(spec_to_dict(spec)),
        content,
        own_versions(),
        shipped,
        key=f"prunescope-{spec.name}-{digest}",
        pure=True,
        retries=RETRIES,
    )


def _write(files: RunFiles, content: Files) -> None:
    """Write what came back, each file whole."""
    for name in (STATE, *RESULTS):
        if name in content:
            with atomic_write(files.folder / name) as temporary:
                temporary.write_bytes(content[name])
    if files.is_finished:
        files.discard_state()


def train_epoch(
    spec_text: str, state: bytes, versions: dict[str, str], shipped: Files | None
) -> Files:
    """Train one epoch of a run, on a worker.

    Parameters
    ----------
    spec_text : str
        The run, as JSON.
    state : bytes
        State after the last epoch; empty before the first.
    versions : dict of str to str
        As of `own_versions`.
    shipped : dict of str to bytes or None
        As of `files_of`.

    Returns
    -------
    dict of str to bytes
        The state, or the files of the finished run, by name.
    """
    check_versions(versions)
    worker_folder()
    if shipped is not None:
        install(shipped)
    spec = spec_from_dict(json.loads(spec_text))
    files = RunFiles(spec.name)
    if files.folder.is_dir():
        files.delete()  # of an earlier attempt here
    files.save_spec(spec)
    if state:
        (files.folder / STATE).write_bytes(state)
    start = len(files.records())

    def stop_after_epoch(progress: RunProgress) -> None:
        if len(progress.records) > start:
            raise Cancelled("the epoch is done")

    try:
        retrain(spec, report=stop_after_epoch)
    except Cancelled:
        return {STATE: (files.folder / STATE).read_bytes()}
    return {name: (files.folder / name).read_bytes() for name in RESULTS}
