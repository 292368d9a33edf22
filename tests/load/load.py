"""Many visitors at once: ``python -m tests.load.load --visitors 30``; `make load` runs it."""

import argparse
import asyncio
import importlib.machinery
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
from websockets.exceptions import WebSocketException

from pruning.engine import store
from pruning.runtime.connection_limits import BROWSER_COOKIE
from tests.benchmarks.memory import resident_megabytes, server_processes
from tests.browser.conftest import serving
from tests.load.visitor import Kind, Visitor

LENET = "network=lenet5&dataset=mnist&sparsity=0.5"
RESNET = "network=resnet20&dataset=cifar10&sparsity=0.5"
CLASSROOM = Path(__file__).parents[2] / "docs" / "classroom" / "try.py"
STAY_S = (20.0, 120.0)
"""Seconds between coming and losing the connection, in a soak test."""
SETTLE_S = 150
EXPLORE = Kind("Explore", LENET)
COMPARE = Kind("Compare", LENET, "compare", "Effective MACs", key="budget", pauses=2)
CURVES = Kind("Curves", LENET, "curves", "Number of points", (3, 25), "points", pauses=3)
RETRAIN = Kind("Retrain", LENET, "retrain", button="Start")
SLOW = Kind("ResNet-20", RESNET)
HOSTILE = Kind("Explore, hostile", LENET, pauses=0.05, cookie=f"{BROWSER_COOKIE}=one")
HOSTILE_CURVES = replace(CURVES, name="Curves, hostile", pauses=0.05, cookie=HOSTILE.cookie)
"""Pages of one browser in which somebody moves sliders all the time."""


def kinds_of(visitors: int, query: str, *, mixed: bool, hostile: int = 0) -> list[Kind]:
    """Return what each visitor does.

    Parameters
    ----------
    visitors : int
        Number of visitors.
    query : str
        Of the link to Explore.
    mixed : bool
        Whether a fifth is on Compare and a tenth on Curves, one retrains, and one has a ResNet-20.
    hostile : int
        Number of pages in which one more visitor moves sliders all the time.

    Returns
    -------
    list of Kind
        In the order in which they come.
    """
    kinds = [replace(EXPLORE, query=query)] * visitors
    if mixed:
        others = [RETRAIN, SLOW, *[COMPARE] * (visitors // 5), *[CURVES] * (visitors // 10)]
        step = visitors // len(others)
        for index, kind in enumerate(others):
            kinds[index * step] = kind
    hostile_kinds = [HOSTILE, HOSTILE_CURVES] * (hostile // 2)
    return [*kinds, *hostile_kinds]


@dataclass(frozen=True)
class Door:
    """Where a visitor comes in.

    Parameters
    ----------
    address : str
        Of the server, with ``ws://`` or ``wss://``.
    options : dict
        Of the connection.
    """

    address: str
    options: dict[str, Any] = field(default_factory=dict)


async def visit_all(
    doors: Callable[[], Door], options: argparse.Namespace, *others: Awaitable[None]
) -> list[Visitor]:
    """Let all visitors come within some seconds, and wait until they have left.

    Parameters
    ----------
    doors : callable
        ``doors()`` gives the door of a new visitor.
    options : argparse.Namespace
        Of the command line.
    *others : awaitables
        What else happens meanwhile.

    Returns
    -------
    list of Visitor
        With what they measured; in a soak test, where visitors lose their connections and come
        again, one for each visit.
    """
    kinds = kinds_of(options.visitors, options.query, mixed=options.mixed, hostile=options.hostile)
    end = time.monotonic() + options.arrival + options.seconds
    pauses = options.least_pause, options.most_pause
    visitors = []

    async def come(seed: int, kind: Kind) -> None:
        await asyncio.sleep(options.arrival * seed / len(kinds))
        stay = random.Random(seed)
        while time.monotonic() < end:
            leave = time.monotonic() + stay.uniform(*STAY_S) if options.soak else end
            door = await asyncio.to_thread(doors)
            visitor = Visitor(door.address, kind, seed, door.options)
            visitors.append(visitor)
            try:
                await visitor.visit(min(leave, end), *pauses, drops=leave < end)
            except (WebSocketException, EOFError, OSError) as error:
                if not options.soak:  # where the server is killed in the middle
                    visitor.errors.append(f"{type(error).__name__}: {error}")
                    return
                await asyncio.sleep(1)

    await asyncio.gather(*(come(seed, kind) for seed, kind in enumerate(kinds)), *others)
    return visitors


def describe(seconds: Sequence[float]) -> str:
    """Format durations.

    Parameters
    ----------
    seconds : sequence of float
        Any durations.

    Returns
    -------
    str
        Median, 95th percentile and worst.
    """
    if not seconds:
        return "none"
    percentile = float(np.percentile(seconds, 95))
    return (
        f"median {statistics.median(seconds):.2f} s, 95th percentile {percentile:.2f} s, "
        f"worst {max(seconds):.2f} s ({len(seconds)})"
    )


def report(visitors: Sequence[Visitor], seconds: float) -> None:
    """Print what the visitors measured.

    Parameters
    ----------
    visitors : sequence of Visitor
        All visitors.
    seconds : float
        How long they moved after all had come.
    """
    moves = [move for visitor in visitors for move in visitor.moves]
    answered = [move for move in moves if move.first is not None]
    print(f"opened: {describe([visitor.opened for visitor in visitors if visitor.opened])}")
    end = max((move.sent for move in moves), default=0.0)
    recent = [move for move in moves if move.sent > end - seconds]
    print(f"moves a second, all there: {len(recent) / seconds:.2f}; {len(moves)} in all")
    print(f"first answer: {describe([move.first for move in answered])}")
    complete = [move.complete for move in moves if move.complete is not None]
    print(f"complete answer: {describe(complete)}")
    print(f"superseded or unanswered moves: {len(moves) - len(answered)}")
    last = [visitor.moves[-1] for visitor in visitors if visitor.moves]
    resting = sum(move.complete is not None for move in last)
    print(f"visitors whose last move has its complete accuracy: {resting} of {len(last)}")
    medians = []
    for visitor in visitors:
        own = [move.first for move in visitor.moves if move.first is not None]
        if own:
            medians.append(statistics.median(own))
    if medians:
        ratio = max(medians) / statistics.median(medians)
        print(f"slowest visitor's median / median of the visitors: {ratio:.2f}")
    errors = [error for visitor in visitors for error in visitor.errors]
    print(f"errors: {len(errors)} {sorted(set(errors))[:5]}")


@contextmanager
def empty_store() -> Iterator[None]:
    """Let the server begin without results: those of an earlier load would be answers at once."""
    with TemporaryDirectory() as folder:
        os.environ["PRUNESCOPE_STORE"] = str(Path(folder) / "store.sqlite")
        yield


def main() -> None:
    """Start a server, let the visitors come, and print what they measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60, help="of moving, after all have come")
    parser.add_argument("--arrival", type=float, default=20, help="seconds in which all come")
    parser.add_argument("--least-pause", type=float, default=3)
    parser.add_argument("--most-pause", type=float, default=5)
    parser.add_argument("--query", default=LENET, help="of the link to Explore")
    parser.add_argument("--mixed", action="store_true", help="also other pages and networks")
    parser.add_argument(
        "--hostile", type=int, default=0, help="pages of one browser that moves all the time"
    )
    parser.add_argument(
        "--proxied", action="store_true", help="two application processes behind nginx"
    )
    parser.add_argument(
        "--soak",
        action="store_true",
        help="visitors drop their connections and come again; the server is killed in the middle",
    )
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(empty_store())
        if options.proxied:
            servers = stack.enter_context(load_classroom().classroom())
            doors = partial(door_of_proxy, servers.ports)
            addresses = [f"http://127.0.0.1:{servers.ports[name]}" for name in ("a", "b")]
        else:
            address = stack.enter_context(serving())
            doors = partial(Door, address.replace("http://", "ws://"))
            addresses = [address]
        before = State.of(addresses)
        others = []
        if options.soak:
            others = [restart(addresses[0], stack, options), watch(addresses, options)]
        visitors = asyncio.run(visit_all(doors, options, *others))
        for kind in dict.fromkeys(visitor.kind for visitor in visitors):
            print(f"-- {kind.name}")
            report([visitor for visitor in visitors if visitor.kind == kind], options.seconds)
        if options.soak:
            time.sleep(SETTLE_S)  # until the server has forgotten its last visitors
        after = State.of(addresses)
        moves = max(1, sum(len(visitor.moves) for visitor in visitors))
        if not options.soak:
            per_move = (after.seconds - before.seconds) / moves
            updates = sum(visitor.fragment_runs for visitor in visitors) / moves
            print(f"processor seconds a move, everything included: {per_move:.3f}")
            print(f"updates of waiting work a move: {updates:.1f}")
        print(f"memory: {before.megabytes:,.0f} MB before, {after.megabytes:,.0f} MB after")
        print(f"threads: {before.threads} before, {after.threads} after")


@cache
def load_classroom() -> Any:
    """Load docs/classroom/try.py, whose name is a word of the language."""
    return importlib.machinery.SourceFileLoader("classroom", str(CLASSROOM)).load_module()


def door_of_proxy(ports: dict[str, int]) -> Door:
    """Log in at the proxy with a new browser."""
    browser = load_classroom().Browser(ports, "127.0.0.2")
    browser.ask()
    return Door(browser.websocket_origin, browser.connection_options())


async def watch(addresses: Sequence[str], options: argparse.Namespace) -> None:
    """Print twelve times what the server uses."""
    began = time.monotonic()
    for _ in range(12):
        await asyncio.sleep((options.arrival + options.seconds) / 12)
        with suppress(psutil.Error):  # while it is killed
            minutes = (time.monotonic() - began) / 60
            print(f"after {minutes:.0f} minutes: {State.of(addresses)}", flush=True)


async def restart(address: str, stack: ExitStack, options: argparse.Namespace) -> None:
    """Kill the server in the middle, start it again, and compare what is stored."""
    await asyncio.sleep(options.arrival + options.seconds / 2)
    stored = len(list(store.rows()))
    processes = server_processes(address)
    print(f"killed: {State.of([address])}, {stored:,} stored results")
    processes[0].kill()
    psutil.wait_procs(processes, timeout=20)
    port = int(address.rpartition(":")[2])
    await asyncio.to_thread(stack.enter_context, serving(port))
    kept = len(list(store.rows()))
    print(f"started again: {kept:,} stored results")
    assert kept >= stored


@dataclass(frozen=True)
class State:
    """What a server uses.

    Parameters
    ----------
    megabytes : float
        Resident memory.
    threads : int
        Of all its processes.
    seconds : float
        Of the processor, since the start.
    """

    megabytes: float
    threads: int
    seconds: float

    @classmethod
    def of(cls, addresses: Sequence[str]) -> "State":
        """Measure the processes of some servers."""
        processes = [each for address in addresses for each in server_processes(address)]
        threads = sum(process.num_threads() for process in processes)
        return cls(resident_megabytes(processes), threads, processor_seconds(processes))


def processor_seconds(processes: Sequence[psutil.Process]) -> float:
    """Return the time that processes have computed, in seconds."""
    times = [process.cpu_times() for process in processes]
    return sum(time.user + time.system for time in times)


if __name__ == "__main__":
    main()
