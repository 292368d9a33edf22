"""One visitor, who speaks Streamlit's protocol without a browser."""

import asyncio
import contextlib
import math
import random
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ESTIMATE = "≈"
"""Begins the text of an accuracy of a part of the images."""
OPEN_TIMEOUT_S = 120
REST_S = 10
"""Seconds after the last move, in which the last complete accuracy must come."""
MAX_MESSAGE = 2**27


@dataclass(frozen=True)
class Kind:
    """What a visitor does.

    Parameters
    ----------
    name : str
        For the report.
    query : str
        Of the link that they open.
    page : str
        Path of the page; Explore by default.
    slider : str
        Beginning of the label of the slider that they move.
    values : tuple of (float, float)
        The lowest and the highest value.
    key : str
        Where the link has the value, in percent or as it is: what the page shows belongs to it.
    button : str
        Label of a button that is clicked once instead.
    pauses : float
        How many times as long they wait between two moves as visitors of Explore do.
    cookie : str
        Of their browser, if several are pages of one browser.
    """

    name: str
    query: str
    page: str = ""
    slider: str = "Sparsity"
    values: tuple[float, float] = (10.0, 98.0)
    key: str = "sparsity"
    button: str = ""
    pauses: float = 1.0
    cookie: str = ""

    def value_of(self, link: dict[str, list[str]]) -> float:
        """Return the value of the slider that a link has; NaN without one."""
        text = link.get(self.key, ["nan"])[0].rpartition("=")[2]
        try:
            value = float(text)
        except ValueError:
            return math.nan
        return value if self.key == "points" else 100 * value


@dataclass
class Move:
    """A move of the slider.

    Parameters
    ----------
    value : float
        The new value.
    sent : float
        When it was sent, `time.monotonic`.
    first, complete : float or None
        Seconds until an accuracy of this value was shown, and until one of all images was.
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
    kind : Kind
        What they do.
    seed : int
        Of the positions of the slider.
    options : mapping
        Of the connection, such as those for a proxy.
    """

    address: str
    kind: Kind
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    opened: float | None = None
    moves: list[Move] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    fragment_runs: int = 0
    _connection: ClientConnection | None = None
    _link: dict[str, list[str]] = field(default_factory=dict)
    _query_string: str = ""
    _slider: str = ""
    _button: str = ""
    _page: str = ""
    _is_open: asyncio.Event = field(default_factory=asyncio.Event)
    _fragments: dict[str, asyncio.Task] = field(default_factory=dict)

    async def visit(
        self, end: float, least_pause: float, most_pause: float, *, drops: bool = False
    ) -> None:
        """Open the page, move the slider until the time is over, and rest.

        Parameters
        ----------
        end : float
            When to stop moving, `time.monotonic`; the same for all.
        least_pause, most_pause : float
            Limits of the pause between two moves.
        drops : bool
            Whether the connection is lost at the end, instead of the rest.
        """
        chance = random.Random(self.seed)
        self._query_string = self.kind.query
        address = f"{self.address}/_stcore/stream"
        began = time.monotonic()
        cookie = {"Cookie": self.kind.cookie} if self.kind.cookie else {}
        options = {
            "subprotocols": ["streamlit"],
            "max_size": MAX_MESSAGE,
            "additional_headers": cookie,
            **self.options,
        }
        async with connect(address, **options) as connection:
            self._connection = connection
            reader = asyncio.create_task(self._read())
            try:
                await self._rerun(page=self.kind.page)
                await self._wait_until_open(reader)
                self.opened = time.monotonic() - began
                if self._button:
                    await self._rerun(click=True)
                pause = self.kind.pauses * chance.uniform(least_pause, most_pause)
                while not self.kind.button and time.monotonic() + pause < end:
                    await asyncio.sleep(pause)
                    await self._move(round(chance.uniform(*self.kind.values), 1))
                    pause = self.kind.pauses * chance.uniform(least_pause, most_pause)
                if drops:
                    await asyncio.sleep(max(0.0, end - time.monotonic()))
                    connection.transport.abort()
                else:
                    await asyncio.sleep(end + REST_S - time.monotonic())
            except TimeoutError:
                self.errors.append(f"{self.kind.name}: not open within {OPEN_TIMEOUT_S} s")
            finally:
                for task in [reader, *self._fragments.values()]:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                        await task

    async def _wait_until_open(self, reader: asyncio.Task) -> None:
        opening = asyncio.create_task(self._is_open.wait())
        await asyncio.wait(
            {opening, reader}, timeout=OPEN_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        opening.cancel()
        if not self._is_open.is_set():
            raise ConnectionError("lost") if reader.done() else TimeoutError

    async def _move(self, value: float) -> None:
        self.moves.append(Move(value, time.monotonic()))
        await self._rerun()

    async def _rerun(self, fragment: str = "", page: str = "", *, click: bool = False) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = self._query_string
        state.page_script_hash = self._page
        state.page_name = page
        if fragment:
            state.fragment_id, state.is_auto_rerun = fragment, True
            self.fragment_runs += 1
        if self._slider and self.moves:
            widget = state.widget_states.widgets.add()
            widget.id = self._slider
            widget.double_array_value.data.append(self.moves[-1].value)
        if click:
            widget = state.widget_states.widgets.add()
            widget.id, widget.trigger_value = self._button, True
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
            if not message.metadata.run.fragment_ids:
                self._stop_fragments(list(self._fragments))  # those of the run before
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
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
        if kind == "slider" and element.slider.label.startswith(self.kind.slider):
            self._slider = element.slider.id
        elif kind == "button" and self.kind.button and element.button.label == self.kind.button:
            self._button = element.button.id
            self._is_open.set()
        elif kind == "plotly_chart" and self.kind.key == "points":
            self._take_answer(is_complete=False)
        elif kind == "exception":
            self.errors.append(element.exception.message)
        elif kind == "metric" and element.metric.label == "Test accuracy":
            self._take_accuracy(element.metric.body)

    def _take_accuracy(self, text: str) -> None:
        if re.search(r"\d", text):
            self._take_answer(is_complete=ESTIMATE not in text)

    def _take_answer(self, *, is_complete: bool) -> None:
        self._is_open.set()
        now = time.monotonic()
        for move in self.moves[-1:]:
            if not abs(self.kind.value_of(self._link) - move.value) < 0.01:
                return
            if move.first is None:
                move.first = now - move.sent
            if is_complete and move.complete is None:
                move.complete = now - move.sent

    def _repeat(self, fragment: str, interval: float) -> None:
        """Run a fragment again and again, as a browser does."""

        async def repeat() -> None:
            with contextlib.suppress(ConnectionClosed):
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
