"""The limits of the server, asked without a server; tests/browser/test_refusals.py asks one."""

from starlette.websockets import WebSocketDisconnected
from streamlit.proto.BackMsg_pb2 import BackMsg

import asgi
from pruning.runtime.connection_limits import ConnectionLimits
from tests.browser.conftest import run_async

SCOPE = {"type": "websocket", "path": "/_stcore/stream", "client": ("here", 1)}


def cookie(name: str) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", f"{asgi.BROWSER_COOKIE}={name}".encode())]


async def message_delays(monkeypatch, *messages: dict) -> list[float]:
    """How long each message of one connection is delayed."""
    delays = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    async def application(scope, receive, send) -> None:
        received = [await receive() for _ in messages]
        assert received == list(messages)

    waiting = iter(messages)

    async def receive() -> dict:
        return next(waiting)

    async def send(message: dict) -> None:
        raise AssertionError(message)

    with monkeypatch.context() as patch:
        patch.setattr(asgi.asyncio, "sleep", sleep)
        await asgi.RequestLimits(application)(SCOPE | {"headers": cookie("one")}, receive, send)
    return delays


def test_messages_beyond_the_pace_are_delayed_and_none_is_lost(monkeypatch):
    limits = ConnectionLimits(per_second=0.01, burst=3)
    monkeypatch.setattr(asgi, "CONNECTIONS", limits)
    text = {"type": "websocket.receive", "bytes": b""}
    first = run_async(message_delays(monkeypatch, {"type": "websocket.connect"}, text, text))
    assert first == [0, 0]
    second = run_async(message_delays(monkeypatch, text, text, text))  # another page, same browser
    assert second[:2] == [0, 0] and 99 < second[2] < 100


def test_nobody_clears_the_caches_of_all(monkeypatch):
    monkeypatch.setattr(asgi, "CONNECTIONS", ConnectionLimits(per_second=1000, burst=10))
    clear, stop = (
        {"type": "websocket.receive", "bytes": BackMsg(**{name: True}).SerializeToString()}
        for name in ("clear_cache", "stop_script")
    )
    padded = clear | {
        "bytes": BackMsg(debug_disconnect_websocket=True).SerializeToString() + clear["bytes"]
    }
    broken = {"type": "websocket.receive", "bytes": b"\xff\xff"}
    received = []

    async def application(scope, receive, send) -> None:
        for _ in range(4):
            received.append(await receive())

    end = {"type": "websocket.disconnect"}
    waiting = iter([clear, stop, padded, broken, clear, {"type": "websocket.receive"}, end])

    async def receive() -> dict:
        return next(waiting)

    scope = SCOPE | {"headers": cookie("one")}
    run_async(asgi.RequestLimits(application)(scope, receive, None))
    assert received == [stop, broken, {"type": "websocket.receive"}, end]


def test_a_refused_connection_is_closed_before_the_application(monkeypatch):
    limits = ConnectionLimits(max_of_browser=0)
    monkeypatch.setattr(asgi, "CONNECTIONS", limits)
    sent = []

    async def application(scope, receive, send) -> None:
        raise AssertionError

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message["type"])

    run_async(asgi.RequestLimits(application)(SCOPE | {"headers": cookie("one")}, receive, send))
    assert sent == ["websocket.close"]


def test_a_connection_that_is_lost_while_it_is_closed_is_no_failure(monkeypatch):
    limits = ConnectionLimits(max_of_browser=1)
    monkeypatch.setattr(asgi, "CONNECTIONS", limits)

    async def application(scope, receive, send) -> None:
        raise WebSocketDisconnected

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        raise AssertionError(message)

    served = asgi.RequestLimits(application)
    for _ in range(2):  # the first one is no longer counted
        run_async(served(SCOPE | {"headers": cookie("one")}, receive, send))


async def cookies_of_answer(**headers: str) -> list[str]:
    """What the answer to a request for a page sets."""
    sent = []

    async def application(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: dict) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "client": ("here", 1), "headers": pairs}
    await asgi.RequestLimits(application)(scope, None, send)
    return [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]


def test_the_first_page_names_the_browser_by_chance():
    [first] = run_async(cookies_of_answer(accept="text/html"))
    [second] = run_async(cookies_of_answer(accept="text/html"))
    name, _, attributes = first.partition("; ")
    assert name.startswith(f"{asgi.BROWSER_COOKIE}=") and len(name) > 30
    assert attributes == "Path=/; HttpOnly; SameSite=Lax"
    assert first != second
    assert not run_async(cookies_of_answer(accept="text/html", cookie=name))
    assert not run_async(cookies_of_answer(accept="*/*"))
