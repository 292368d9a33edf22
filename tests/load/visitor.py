"""One visitor of Explore, who speaks Streamlit's protocol without a browser."""

import asyncio
import contextlib
import random
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

ESTIMATE = "≈"
"""Begins the text of an accuracy of a part of the images."""
OPEN_TIMEOUT_S = 120
MAX_MESSAGE = 2**27


@dataclass
class Move:
    """A move of the slider.

    Parameters
    ----------
    value : float
        The new sparsity in percent.
    sent : float
        When it was sent, `time.monotonic`.
    first, complete : float or None
        Seconds until an accuracy of this sparsity was shown, and until one of all images was.
    """

    value: float
    sent: float
    first: float | None = None
    complete: float | None = None


@dataclass
class Visitor:
    """A visitor and what they have waited for.

    Parameters
    ----------
    address : str
        Of the server, with ``ws://``.
    query : str
        Of the link that they open.
    seed : int
        Of the positions of the slider.
    """

    address: str
    query: str
    seed: int
    opened: float | None = None
    moves: list[Move] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _connection: ClientConnection | None = None
    _link: dict[str, list[str]] = field(default_factory=dict)
    _query_string: str = ""
    _slider: str = ""
    _page: str = ""
    _has_accuracy: asyncio.Event = field(default_factory=asyncio.Event)
    _fragments: dict[str, asyncio.Task] = field(default_factory=dict)

    async def visit(self, end: float, least_pause: float, most_pause: float) -> None:
        """Open the page, move the slider until the time is over, and rest.

        Parameters
        ----------
        end : float
            When to stop moving, `time.monotonic`; the same for all.
        least_pause, most_pause : float
            Limits of the pause between two moves.
        """
        chance = random.Random(self.seed)
        self._query_string = self.query
        address = f"{self.address}/_stcore/stream"
        began = time.monotonic()
        async with connect(address, subprotocols=["streamlit"], max_size=MAX_MESSAGE) as connection:
            self._connection = connection
            reader = asyncio.create_task(self._read())
            try:
                await self._rerun()
                await asyncio.wait_for(self._has_accuracy.wait(), OPEN_TIMEOUT_S)
                self.opened = time.monotonic() - began
                pause = chance.uniform(least_pause, most_pause)
                while time.monotonic() + pause < end:
                    await asyncio.sleep(pause)
                    await self._move(round(chance.uniform(10, 98), 1))
                    pause = chance.uniform(least_pause, most_pause)
                await asyncio.sleep(end + REST_S - time.monotonic())
            except TimeoutError:
                self.errors.append(f"no accuracy within {OPEN_TIMEOUT_S} s")
            finally:
                for task in [reader, *self._fragments.values()]:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    async def _move(self, value: float) -> None:
        self.moves.append(Move(value, time.monotonic()))
        await self._rerun()

    async def _rerun(self, fragment: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = self._query_string
        state.page_script_hash = self._page
        if fragment:
            state.fragment_id, state.is_auto_rerun = fragment, True
        if self._slider and self.moves:
            widget = state.widget_states.widgets.add()
            widget.id = self._slider
            widget.double_array_value.data.append(self.moves[-1].value)
        assert self._connection is not None
        await self._connection.send(message.SerializeToString())

    async def _read(self) -> None:
        assert self._connection is not None
        async for raw in self._connection:
            message = ForwardMsg()
            message.ParseFromString(raw)
            self._take(message)

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
            if not message.metadata.run.fragment_ids:
                self._stop_fragments(list(self._fragments))  # those of the run before
        elif kind == "page_info_changed":
            self._query_string = message.page_info_changed.query_string
            self._link = parse_qs(self._query_string)
        elif kind == "auto_rerun":
            self._repeat(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._stop_fragments(message.stop_auto_rerun.fragment_ids)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._take_element(message.delta.new_element)

    def _take_element(self, element) -> None:
        kind = element.WhichOneof("type")
        if kind == "slider" and element.slider.label.startswith("Sparsity"):
            self._slider = element.slider.id
        elif kind == "exception":
            self.errors.append(element.exception.message)
        elif kind == "metric" and element.metric.label == "Test accuracy":
            self._take_accuracy(element.metric.body)

    def _take_accuracy(self, text: str) -> None:
        if not re.search(r"\d", text):
            return
        self._has_accuracy.set()
        shown = 100 * float(self._link.get("sparsity", ["nan"])[0])
        now = time.monotonic()
        for move in self.moves[-1:]:
            if abs(shown - move.value) > 0.01:
                return
            if move.first is None:
                move.first = now - move.sent
            if ESTIMATE not in text and move.complete is None:
                move.complete = now - move.sent

    def _repeat(self, fragment: str, interval: float) -> None:
        """Run a fragment again and again, as a browser does."""

        async def repeat() -> None:
            while True:
                await asyncio.sleep(interval)
                await self._rerun(fragment)

        self._stop_fragments([fragment])
        self._fragments[fragment] = asyncio.create_task(repeat())

    def _stop_fragments(self, fragments: Iterable[str]) -> None:
        for fragment in fragments:
            task = self._fragments.pop(fragment, None)
            if task is not None:
                task.cancel()


REST_S = 10
"""Seconds after the last move, in which the last complete accuracy must come."""
