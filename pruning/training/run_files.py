"""The files of a run: its specification, its state after the last epoch, its result."""

import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pruning.data.datasets import DATASETS
from pruning.engine.run_checkpoint import CARD, WEIGHTS, read_card, runs_folder
from pruning.models import NETWORKS, own_network
from pruning.models.cards import Card
from pruning.recipe.recipe import RUN_NAME
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import CheckpointError, PrunescopeError
from pruning.runtime.json_reader import parse_json, read_json
from pruning.runtime.registry import Registry
from pruning.training.record import EpochRecord, record_from_dict
from pruning.training.spec import RunSpec, spec_from_dict, spec_to_dict

SPEC, STATE, RECORDS, PROBLEM, LOCK = (
    "run.json",
    "state.safetensors",
    "records.json",
    "problem",
    "lock",
)
REGISTRIES: dict[str, Registry] = {"network": NETWORKS, "dataset": DATASETS}
"""Registries by the fields of a recipe that name an entry."""
MAX_TIME = 1e12
"""Seconds since 1970 that a file may hold."""
LOCK_TIMEOUT_S, LOCK_POLL_S = 0.3, 0.02
"""`RunFiles.is_locked` holds the lock for a moment, which is no reason to refuse a training."""
MAX_PROBLEM = 500
"""Characters of a problem."""


class RunError(PrunescopeError):
    """A run cannot be started, continued, read or deleted."""


@dataclass(frozen=True, eq=False)
class State:
    """A run after its last finished epoch.

    Parameters
    ----------
    tensors : dict of str to torch.Tensor
        Network, momentum and kept networks.
    metadata : dict of str to str
        Everything else, as JSON.
    records : tuple of EpochRecord
        One for each finished epoch.
    """

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]
    records: tuple[EpochRecord, ...]


class RunFiles:
    """The folder of one run.

    Parameters
    ----------
    name : str
        Name of the run.
    parent : Path, optional
        Folder of all runs; default: `runs_folder`.

    Raises
    ------
    ValueError
        If the name cannot be one of a run.
    """

    def __init__(self, name: str, parent: Path | None = None) -> None:
        if not RUN_NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is not the name of a run")
        self.name = name
        self.folder = (parent or runs_folder()) / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the run, which ends with the process at the latest.

        Yields
        ------
        None
            While nobody else can train or delete the run.

        Raises
        ------
        RunError
            If another thread or process holds it, or deletes the run at the same time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.folder / LOCK, thread_local=False)
        try:
            lock.acquire(timeout=LOCK_TIMEOUT_S, poll_interval=LOCK_POLL_S)
        except filelock.Timeout:
            raise RunError(
                f"the run {self.name} is being trained by another process: wait, or pause it there"
            ) from None
        except FileNotFoundError:
            raise RunError(f"the run {self.name} was deleted meanwhile") from None
        try:
            yield
        finally:
            lock.release()

    @property
    def is_locked(self) -> bool:
        """Whether the run is being trained."""
        if not (self.folder / LOCK).exists():
            return False
        lock = filelock.FileLock(self.folder / LOCK, timeout=0, thread_local=False)
        try:
            with lock:
                return False
        except (filelock.Timeout, OSError):
            return True

    @property
    def is_finished(self) -> bool:
        """Whether the network of the run is there."""
        return (self.folder / CARD).is_file()

    def save_spec(self, spec: RunSpec, owner: str = "") -> None:
        """Write the specification, unless it is there already.

        Parameters
        ----------
        spec : RunSpec
            Of the run.
        owner : str
            Who started it: empty for the command line, otherwise a hash of the visitor's address.
        """
        path = self.folder / SPEC
        if path.is_file():
            return
        content = {"created": time.time(), "owner": owner, "spec": spec_to_dict(spec)}
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")

    def spec(self) -> RunSpec:
        """Read the specification.

        Returns
        -------
        RunSpec
            Of the run.

        Raises
        ------
        RunError
            If it is not there or not valid.
        """
        content = self._spec_content()
        try:
            return spec_from_dict(content.get("spec"))
        except ValueError as error:
            raise RunError(f"the run {self.name} cannot be read ({error}): delete it") from None

    def created(self) -> float:
        """Return when the run was started.

        Returns
        -------
        float
            Seconds since 1970; 0 if it is not known.
        """
        created = self._spec_content().get("created")
        is_time = isinstance(created, int | float) and 0 <= created < MAX_TIME
        return float(created) if is_time else 0.0  # type: ignore[arg-type]

    def owner(self) -> str:
        """Return who started the run.

        Returns
        -------
        str
            See `save_spec`.
        """
        return str(self._spec_content().get("owner", ""))

    def missing_upload(self) -> str:
        """Return which network or dataset of a user the run needs, if it is not loaded.

        Returns
        -------
        str
            One sentence without a full stop; empty if the run does not need one.
        """
        try:
            content: Any = self._spec_content().get("spec")
            recipe = content["recipe"]
            names = {kind: str(recipe[kind]) for kind in REGISTRIES}
        except (RunError, KeyError, TypeError):
            return ""
        for kind, name in names.items():
            if name.startswith(own_network.PREFIX) and name not in REGISTRIES[kind]:
                return f"it is of a user's {kind} that is not loaded ({name})"
        return ""

    def _spec_content(self) -> dict[str, object]:
        if not self.folder.is_dir():
            raise RunError(f"there is no run {self.name} in {self.folder.parent}")
        try:
            content = read_json(self.folder / SPEC)
        except (OSError, ValueError):
            content = None
        if not isinstance(content, dict):
            raise RunError(f"the run {self.name} cannot be read (no valid {SPEC}): delete it")
        return content

    def save_state(
        self,
        tensors: dict[str, torch.Tensor],
        metadata: dict[str, str],
        records: list[EpochRecord],
    ) -> None:
        """Write the state after an epoch, atomically.

        Parameters
        ----------
        tensors : dict of str to torch.Tensor
            On the CPU.
        metadata : dict of str to str
            As JSON.
        records : list of EpochRecord
            One for each finished epoch.

        Raises
        ------
        RunError
            If the file cannot be written; the former state is still there.
        """
        contents = [record.to_dict() for record in records]
        path = self.folder / STATE
        try:
            with atomic_write(path) as temporary:
                save_file(tensors, temporary, metadata | {"records": json.dumps(contents)})
        except (OSError, SafetensorError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise RunError(
                f"epoch {len(records)} cannot be saved in {path} "
                f"({(reason or str(error)).lower()}): free some space and continue; "
                f"the run is kept as it was after epoch {len(records) - 1}"
            ) from error

    def state(self) -> State | None:
        """Read the state after the last finished epoch.

        Returns
        -------
        State or None
            None if no epoch is finished.

        Raises
        ------
        RunError
            If the file is damaged.
        """
        path = self.folder / STATE
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return State(tensors, metadata, _parse_records(metadata.get("records", "")))
        except (SafetensorError, OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be read as an interrupted run: delete the run to start over"
            ) from error

    def records(self) -> tuple[EpochRecord, ...]:
        """Read the records of the finished epochs.

        Returns
        -------
        tuple of EpochRecord
            Empty if there is none, or if the files are damaged.
        """
        try:
            if (self.folder / RECORDS).is_file():
                content = read_json(self.folder / RECORDS)
                return _records_from_json(content.get("records"))
            if (self.folder / STATE).is_file():
                with safe_open(self.folder / STATE, "pt") as file:
                    return _parse_records((file.metadata() or {}).get("records", ""))
        except (SafetensorError, OSError, ValueError, AttributeError):
            return ()
        return ()

    def save_records(self, records: list[EpochRecord], device: str, sparsity: float) -> None:
        """Write the records of a finished run.

        Parameters
        ----------
        records : list of EpochRecord
            One for each epoch.
        device : str
            Where the last epoch was trained.
        sparsity : float
            Of the network of the run, which may be pruned after the last epoch, or an earlier one.
        """
        contents = [record.to_dict() for record in records]
        content = {"device": device, "sparsity": sparsity, "records": contents}
        with atomic_write(self.folder / RECORDS) as temporary:
            temporary.write_text(json.dumps(content) + "\n")

    def device(self) -> str:
        """Return where the last epoch of a finished run was trained.

        Returns
        -------
        str
            Such as ``"cpu"``; empty if it is not known.
        """
        try:
            content = read_json(self.folder / RECORDS)
        except (OSError, ValueError):
            return ""
        return str(content.get("device", "")) if isinstance(content, dict) else ""

    def sparsity(self) -> float | None:
        """Return the sparsity of the network of a finished run.

        Returns
        -------
        float or None
            None if it is not known.
        """
        try:
            content = read_json(self.folder / RECORDS)
        except (OSError, ValueError):
            return None
        sparsity = content.get("sparsity") if isinstance(content, dict) else None
        return sparsity if isinstance(sparsity, float) else None

    def export(self, path: Path) -> None:
        """Write the files of a finished run into a ZIP archive.

        Parameters
        ----------
        path : Path
            The archive: specification, records, card and network.

        Raises
        ------
        CheckpointError, RunError
            If the run is not finished, or one of its files is missing.
        """
        self.card()
        spec = {"spec": spec_to_dict(self.spec())}  # without the owner
        for name in (RECORDS, WEIGHTS):
            if not (self.folder / name).is_file():
                raise RunError(f"the run {self.name} has no {name}: delete it, or retrain")
        with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(f"{self.name}/{SPEC}", json.dumps(spec, indent=1))
            for name in (RECORDS, CARD, WEIGHTS):
                archive.write(self.folder / name, f"{self.name}/{name}")

    def discard_state(self) -> None:
        """Delete the state, which a finished run does not need."""
        (self.folder / STATE).unlink(missing_ok=True)

    def card(self) -> Card:
        """Read the card of a finished run.

        Returns
        -------
        Card
            See `read_card`.
        """
        return read_card(self.folder)

    def save_problem(self, message: str | None) -> None:
        """Write why the run stopped, or delete what was written before.

        Parameters
        ----------
        message : str or None
            One sentence; None if there is no problem.
        """
        path = self.folder / PROBLEM
        if message is None:
            path.unlink(missing_ok=True)
            return
        try:
            with atomic_write(path) as temporary:
                temporary.write_text(message[:MAX_PROBLEM])
        except OSError:
            return  # the disk is full, which is the problem itself

    def problem(self) -> str:
        """Read why the run stopped.

        Returns
        -------
        str
            Empty if there was no problem.
        """
        try:
            return (self.folder / PROBLEM).read_text(encoding="utf-8")[:MAX_PROBLEM]
        except (OSError, UnicodeDecodeError):
            return ""

    def delete(self) -> None:
        """Delete the run.

        Raises
        ------
        RunError
            If there is no such run, or it is being trained.
        """
        if not self.folder.is_dir():
            raise RunError(f"there is no run {self.name} in {self.folder.parent}")
        with self.locked():
            aside = self.folder.with_name(f".{self.name}-deleted-{time.time_ns()}")
            try:
                self.folder.rename(aside)
            except OSError as error:
                reason = (error.strerror or "input/output error").lower()
                raise RunError(f"{self.folder} cannot be deleted ({reason})") from None
        shutil.rmtree(aside, ignore_errors=True)


def _parse_records(text: str) -> tuple[EpochRecord, ...]:
    return _records_from_json(parse_json(text, "the records"))


def _records_from_json(contents: object) -> tuple[EpochRecord, ...]:
    if not isinstance(contents, list):
        raise ValueError("it has no record of each epoch")
    return tuple(record_from_dict(content) for content in contents)


@dataclass(frozen=True)
class RunInfo:
    """A run as lists show it.

    Parameters
    ----------
    name : str
        Its name.
    spec : RunSpec or None
        None if it cannot be read.
    state : str
        ``"finished"``, ``"running"``, ``"paused"``, ``"failed"``, ``"damaged"``, or
        ``"unavailable"`` if it is of a user's network or data that is not loaded.
    created : float
        Seconds since 1970.
    epochs : int
        Number of finished epochs.
    card : Card or None
        Of a finished run.
    problem : str
        Why it stopped, or cannot be read.
    sparsity : float
        Sparsity after the last epoch of the network that the run trains; 0 before the first.
    owner : str
        Who started it, see `RunFiles.save_spec`.
    """

    name: str
    spec: RunSpec | None
    state: str
    created: float
    epochs: int
    card: Card | None = None
    problem: str = ""
    sparsity: float = 0.0
    owner: str = ""


def list_runs(parent: Path | None = None) -> list[RunInfo]:
    """List the runs of a folder.

    Parameters
    ----------
    parent : Path, optional
        Folder of all runs; default: `runs_folder`.

    Returns
    -------
    list of RunInfo
        Newest first; empty if there is no such folder.
    """
    folder = parent or runs_folder()
    if not folder.is_dir():
        return []
    runs = []
    for path in folder.iterdir():
        if path.is_dir() and RUN_NAME.fullmatch(path.name):
            with suppress(RunError):  # it was deleted meanwhile
                runs.append(read_run(path.name, folder))
    return sorted(runs, key=lambda run: (-run.created, run.name))


def read_run(name: str, parent: Path | None = None) -> RunInfo:
    """Read what lists show of a run.

    Parameters
    ----------
    name : str
        Its name.
    parent : Path, optional
        Folder of all runs; default: `runs_folder`.

    Returns
    -------
    RunInfo
        Its state; ``"damaged"`` or ``"unavailable"`` with the reason if it cannot be read.

    Raises
    ------
    RunError
        If there is no such run.
    """
    files = RunFiles(name, parent)
    if not files.folder.is_dir():
        raise RunError(f"there is no run {name} in {files.folder.parent}")
    try:
        spec, created, records = files.spec(), files.created(), files.records()
        card = files.card() if files.is_finished else None
    except (RunError, CheckpointError) as error:
        problem = files.missing_upload()
        if not problem:
            return RunInfo(name, None, "damaged", 0.0, 0, problem=str(error))
        created, owner = files.created(), files.owner()
        return RunInfo(name, None, "unavailable", created, 0, problem=problem, owner=owner)
    problem = files.problem()
    if card is not None:
        state = "finished"
    elif files.is_locked:
        state = "running"
    else:
        state = "failed" if problem else "paused"
    sparsity = files.sparsity() if card is not None else None
    if sparsity is None:
        sparsity = records[-1].sparsity if records else 0.0
    epochs = len(records)
    return RunInfo(name, spec, state, created, epochs, card, problem, sparsity, files.owner())
