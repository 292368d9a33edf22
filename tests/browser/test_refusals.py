"""What the server refuses, asked without a browser."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pruning.runtime.connection_limits import BROWSER_COOKIE
from tests.benchmarks.memory import resident_megabytes, server_processes
from tests.browser.conftest import ARTEFACTS, run_async

MEGABYTE = 2**20
FINISHED = ForwardMsg.FINISHED_SUCCESSFULLY
BOUNDARY = "part"


@asynccontextmanager
async def connected(address: str, **options) -> AsyncIterator[ClientConnection]:
    """A connection as Streamlit's page opens it."""
    stream = address.replace("http://", "ws://") + "/_stcore/stream"
    async with connect(stream, subprotocols=["streamlit"], max_size=None, **options) as connection:
        yield connection


async def messages_of(
    connection: ClientConnection, page: str, query: str = ""
) -> AsyncIterator[ForwardMsg]:
    """Run a page to its end; an exception on it fails."""
    message = BackMsg()
    message.rerun_script.page_name = page
    message.rerun_script.query_string = query
    await connection.send(message.SerializeToString())
    is_finished = False
    while not is_finished:
        answer = ForwardMsg()
        answer.ParseFromString(await asyncio.wait_for(connection.recv(), 60))
        kind = answer.WhichOneof("type")
        if kind == "delta":
            assert answer.delta.new_element.WhichOneof("type") != "exception"
        # A run that ends with `st.rerun` is followed by another one.
        is_finished = kind == "script_finished" and answer.script_finished == FINISHED
        yield answer


async def opened(connection: ClientConnection, page: str, query: str = "") -> str:
    """Run a page, and return the id of the session."""
    session = ""
    async for message in messages_of(connection, page, query):
        session = message.new_session.initialize.session_id or session
    return session


async def is_full(connection: ClientConnection) -> bool:
    """Run a page, and return whether it only says that too many are open."""
    alerts = [
        message.delta.new_element.alert.body async for message in messages_of(connection, "about")
    ]
    return any("which is the limit" in body for body in alerts)


@dataclass(frozen=True)
class Answer:
    """What the server has answered."""

    status: int
    content: bytes
    cookie: str


def request(address: str, method: str, path: str, *body, **options) -> Answer:
    """Ask for a path as it stands; `urllib` would normalise it."""
    host = address.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before the end of the body
            connection.request(method, path, *body, **options)
        with connection.getresponse() as response:
            cookie = response.getheader("Set-Cookie") or ""
            return Answer(response.status, response.read(), cookie.partition(";")[0])


class Uploads:
    """Uploads of one session, with its token against forged requests."""

    def __init__(self, address: str, session: str) -> None:
        self._address = address
        self._path = f"/_stcore/upload_file/{session}"
        self._cookie = request(address, "GET", "/_stcore/health").cookie
        self._files = 0

    def put(self, size: int, *, token: bool = True, chunked: bool = False) -> int:
        """Upload a file; the status of the answer."""
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="f.json"\r\n\r\n'
        )
        body = head.encode() + b" " * size + f"\r\n--{BOUNDARY}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        if token:
            headers |= {"Cookie": self._cookie, "X-Xsrftoken": self._cookie.partition("=")[2]}
        self._files += 1
        path = f"{self._path}/{self._files}"
        content = iter([body]) if chunked else body
        options = {"headers": headers, "encode_chunked": chunked}
        return request(self._address, "PUT", path, content, **options).status


def test_a_connection_from_another_site_is_refused(address):
    async def come() -> None:
        async with connected(address, origin="http://another.example"):
            pass

    with pytest.raises(InvalidStatus) as refused:
        run_async(come())
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("frame, code", [(b"\xff\xfegarbage", 1002), (bytes(26 * MEGABYTE), 1009)])
def test_a_frame_that_is_no_message_closes_the_connection(address, frame, code):
    async def send() -> None:
        async with connected(address) as connection:
            await connection.send(frame)
            while True:
                await asyncio.wait_for(connection.recv(), 20)

    with pytest.raises(ConnectionClosed) as closed:
        run_async(send())
    assert closed.value.rcvd.code == code
    assert request(address, "GET", "/_stcore/health").status == 200


@pytest.mark.parametrize(
    "route",
    ["media", "static", "app/static", "component/x", "_stcore/bidi-components/live_threshold", ""],
)
@pytest.mark.parametrize(
    "path", ["../../app.py", "%2e%2e/%2e%2e/app.py", "..%2f..%2fapp.py", "/etc/passwd", "%00app.py"]
)
def test_no_path_leads_out_of_a_route(address, route, path):
    response = request(address, "GET", f"/{route}/{path}")
    assert response.status in (400, 403, 404) or b"<title>Streamlit</title>" in response.content
    assert b"st.navigation" not in response.content
    assert b"root:" not in response.content


@pytest.mark.parametrize("path", ["/etc/passwd", "/a/b/c", "/compare/x"])
def test_a_nested_path_is_answered_with_a_page(address, path):
    answer = request(address, "GET", path, headers={"Accept": "text/html,*/*"})
    assert answer.status == 404
    assert b"There is no such page" in answer.content and b'href="/"' in answer.content


@pytest.mark.parametrize("path", ["/", "/compare", "/about"])
def test_pages_are_answered_by_streamlit(address, path):
    answer = request(address, "GET", path, headers={"Accept": "text/html,*/*"})
    assert answer.status == 200 and b"<title>Streamlit</title>" in answer.content


def test_a_page_without_an_uploader_takes_no_file(address):
    [server, *others] = server_processes(address)

    async def flood() -> set[int]:
        async with connected(address) as connection:
            uploads = Uploads(address, await opened(connection, ""))
            statuses = {uploads.put(10)}
            await asyncio.sleep(5)  # the page's own work, and whatever is allocated once
            before = resident_megabytes([server, *others])
            for _ in range(1_000):
                statuses.add(await asyncio.to_thread(uploads.put, 100_000))
            assert resident_megabytes([server, *others]) - before < 30  # of 100 MB
            return statuses

    assert run_async(flood()) == {403}


def test_a_page_with_an_uploader_takes_a_limited_number_of_files(address):
    async def upload() -> list[int]:
        async with connected(address) as connection:
            uploads = Uploads(address, await opened(connection, "compare"))
            assert uploads.put(10, token=False) == 403
            assert uploads.put(21 * MEGABYTE) == 413
            assert uploads.put(10, chunked=True) == 411
            statuses = [uploads.put(10) for _ in range(30)]
            await opened(connection, "")
            statuses.append(uploads.put(10))
            return statuses

    statuses = run_async(upload())
    assert statuses == [204] * 20 + [429] * 10 + [403]


def test_nobody_uploads_for_a_session_that_does_not_exist(address):
    assert Uploads(address, "00000000-0000-0000-0000-000000000000").put(10) == 403


def test_metrics_are_for_the_machine_itself(address):
    assert request(address, "GET", "/_stcore/metrics").status == 200


def test_a_browser_has_ten_pages_and_twenty_connections(address):
    """Somebody opens more and more pages, and closes one; another visitor comes."""
    cookie = {"Cookie": f"{BROWSER_COOKIE}=of-one-browser"}

    async def visit() -> None:
        async with AsyncExitStack() as stack:

            async def come(**options) -> ClientConnection:
                return await stack.enter_async_context(connected(address, **options))

            pages = [await come(additional_headers=cookie) for _ in range(20)]
            assert [await is_full(page) for page in pages] == [False] * 10 + [True] * 10
            with pytest.raises(InvalidStatus) as refused:
                await come(additional_headers=cookie)
            assert refused.value.response.status_code == 403
            assert not await is_full(await come())
            await pages[0].close()
            while await is_full(pages[10]):
                await asyncio.sleep(0.2)  # until the server knows
            assert await is_full(pages[11])

    run_async(visit())


@pytest.mark.parametrize(
    "page",
    ["", "learn", "inside", "compare", "curves", "sensitivity", "agreement", "retrain", "own"],
)
@pytest.mark.parametrize(
    "query",
    [
        "network=<script>alert(1)</script>&dataset=javascript:alert(1)",
        "columns=[[[[[[&recipes={}&budget=macs%3Dnan&points=1e999",
        f"sparsity={'9' * 5_000}&run=../../../../etc/passwd",
        f"columns={'[' * 20_000}&recipes={'[' * 20_000}",
    ],
)
def test_a_link_with_anything_in_it_opens_the_page(address, page, query):
    async def visit() -> str:
        async with connected(address) as connection:
            return await opened(connection, page, query)

    before = logged_errors()  # Streamlit logs a frame that is no message
    assert run_async(visit())
    assert logged_errors() == before


def logged_errors() -> int:
    return (ARTEFACTS / "server.log").read_text().count("Traceback")
