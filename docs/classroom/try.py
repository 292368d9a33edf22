"""Try nginx.conf and prunescope.env of this folder with two application processes.

``.venv/bin/python docs/classroom/try.py`` needs nginx, openssl and the packages of
requirements-dev.txt. It works in a temporary folder, on free ports of this machine, prints a line
for each check, and stops only what it has started. The exit status is 1 if a check has failed.
"""

import asyncio
import getpass
import hashlib
import os
import re
import shlex
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(REPOSITORY))

NAME = "prunescope.example.org"
LOGIN = ("class", "a password")
LINK = "network=lenet300&dataset=digits&sparsity=0.731"
START_S, PAGE_S = 120, 60
FINISHED = "FINISHED_SUCCESSFULLY"
RERUN = ForwardMsg.FINISHED_EARLY_FOR_RERUN
failures = []


def check(what: str, answer, expected) -> None:
    """Print a check and remember whether it has failed."""
    is_good = answer == expected
    print(f"{'ok    ' if is_good else 'FAILED'} {what}: {answer}", flush=True)
    if not is_good:
        print(f"       expected: {expected}")
        failures.append(what)


# ---------------------------------------------------------------------------- the servers


def free_ports(count: int) -> list[int]:
    """Return free ports."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [opened.getsockname()[1] for opened in sockets]


@contextmanager
def running(command: list[str], log: Path, **options):
    """Run a program until the end of the block."""
    with log.open("a") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of prunescope.env, with folders of this try."""
    variables = dict(os.environ)
    for line in (HERE / "prunescope.env").read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            variables[name] = shlex.split(value)[0].replace("/var/lib/prunescope", str(folder))
    data = os.environ.get("PRUNESCOPE_DATA")
    return variables | ({"PRUNESCOPE_DATA": data} if data else {})


def application(port: int, folder: Path):
    """Run an application process."""
    command = [sys.executable, "serve.py", "--server.port", str(port)]
    log = folder / f"{port}.log"
    return running(command, log, cwd=REPOSITORY, env=environment(folder), start_new_session=True)


def nginx_configuration(folder: Path, ports: dict[str, int]) -> str:
    """Return nginx.conf with the ports and files of this try."""
    text = (HERE / "nginx.conf").read_text()
    for old, new in (
        ("user www-data;", f"user {getpass.getuser()};"),
        ("http {", f"http {{ client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;"),
        ("8601", str(ports["a"])),
        ("8602", str(ports["b"])),
        ("listen 80 ", f"listen 127.0.0.1:{ports['http']} "),
        ("listen 443 ", f"listen 127.0.0.1:{ports['https']} "),
        ("/etc/prunescope", str(folder)),
        ("/run/", f"{folder}/"),
        ("/var/log/nginx", str(folder)),
        ("/var/cache/prunescope-nginx", f"{folder}/cache"),
    ):
        assert old in text, f"nginx.conf has no {old!r}"
        text = text.replace(old, new)
    # All addresses of this try are on the loopback interface: the address listened at is one.
    return text.replace("listen 127.0.0.1:", "listen ")


def make_secrets(folder: Path) -> None:
    """Make a certificate and a file of passwords."""
    name, password = LOGIN
    options = shlex.split(f"-x509 -newkey rsa:2048 -nodes -days 1 -subj /CN={NAME}")
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    subprocess.run(["openssl", "req", *options, *files], check=True, capture_output=True)
    command = ["openssl", "passwd", "-apr1", password]
    hashed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (folder / "passwords").write_text(f"{name}:{hashed}")


def wait_for_health(port: int) -> None:
    """Wait until an application process answers."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with suppress(requests.ConnectionError):
            if requests.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).ok:
                return
        time.sleep(0.2)
    raise TimeoutError(f"no answer from port {port}")


# ---------------------------------------------------------------------------- the visitors


class Browser(requests.Session):
    """A visitor's browser: cookies, a login and an address of its own."""

    def __init__(self, ports: dict[str, int], address: str, login=LOGIN) -> None:
        super().__init__()
        self.ports, self.address = ports, address
        self.auth, self.verify, self.trust_env = login, False, False
        self.headers["Host"] = f"{NAME}:{ports['https']}"
        self.kept: dict[str, str] = {}
        self.mount("https://", _From(address))

    def ask(self, path: str = "/", method: str = "GET", **options) -> requests.Response:
        """Send a request through the proxy."""
        address = f"https://127.0.0.1:{self.ports['https']}{path}"
        cookies = "; ".join(f"{name}={value}" for name, value in self.kept.items())
        headers = {"Cookie": cookies} if cookies else {}
        answer = self.request(method, address, headers=headers, timeout=60, **options)
        self.keep(answer.raw.headers.getlist("Set-Cookie"))
        self.cookies.clear()
        return answer

    def keep(self, cookies) -> None:
        """Keep the cookies of an answer."""
        self.kept |= dict(re.match("([^=]+)=([^;]*)", cookie).groups() for cookie in cookies)

    @property
    def websocket_origin(self) -> str:
        """Beginning of the address of the websocket."""
        return f"wss://{NAME}:{self.ports['https']}"

    def connection_options(self) -> dict[str, Any]:
        """Return options of ``websockets.connect`` through the proxy."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.kept.items())
        return {
            "host": "127.0.0.1",
            "local_addr": (self.address, 0),
            "ssl": ssl._create_unverified_context(),
            "subprotocols": ["streamlit"],
            "max_size": 2**27,
            "additional_headers": {"Cookie": cookies},
            "origin": f"https://{NAME}",
            "proxy": None,
        }

    @property
    def process(self) -> str:
        """The application process that the cookie names."""
        return self.kept.get("prunescope_process", "")


class _From(requests.adapters.HTTPAdapter):
    """Connections from one of the addresses of this machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **options) -> None:
        super().init_poolmanager(*args, source_address=(self.address, 0), **options)


class Visit:
    """A websocket of a browser, and what the page has shown."""

    def __init__(self, browser: Browser, page: str = "", query: str = LINK, **headers: str) -> None:
        self.browser, self.page, self.query, self.headers = browser, page, query, headers
        self.buttons, self.accuracy, self.errors = set(), "", []
        self.largest = 0

    async def __aenter__(self) -> "Visit":
        browser = self.browser
        origin = self.headers.pop("Origin", f"https://{NAME}")
        options = browser.connection_options() | {"origin": origin}
        options["additional_headers"] |= self.headers
        self.connection = await connect(f"{browser.websocket_origin}/_stcore/stream", **options)
        browser.keep(self.connection.response.headers.get_all("Set-Cookie"))
        return self

    async def __aexit__(self, *error) -> None:
        await self.connection.close()

    async def run(self, *, until_accuracy: bool = False) -> str:
        """Run the page to its end; on Explore, also until the accuracy is measured."""
        async with asyncio.timeout(PAGE_S):
            await self._rerun()
            end, fragment = "", ""
            while not end or (until_accuracy and not re.fullmatch(r"\d.*%", self.accuracy)):
                if end and fragment:
                    await asyncio.sleep(0.2)
                    await self._rerun(fragment)
                    end = ""
                raw = await self.connection.recv()
                self.largest = max(self.largest, len(raw))
                message = ForwardMsg()
                message.ParseFromString(raw)
                kind = message.WhichOneof("type")
                if kind == "auto_rerun":
                    fragment = message.auto_rerun.fragment_id
                elif kind == "page_info_changed":
                    self.query = message.page_info_changed.query_string
                elif kind == "delta":
                    self._take(message.delta.new_element)
                elif kind == "script_finished" and message.script_finished != RERUN:
                    end = ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)
        return "with an error" if self.errors else end

    async def _rerun(self, fragment: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_name = self.query, self.page
        if fragment:
            state.fragment_id, state.is_auto_rerun = fragment, True
        await self.connection.send(message.SerializeToString())

    def _take(self, element) -> None:
        kind = element.WhichOneof("type")
        if kind == "button":
            self.buttons.add(element.button.label)
        elif kind == "exception":
            self.errors.append(element.exception.message)
        elif kind == "metric" and element.metric.label == "Test accuracy":
            self.accuracy = element.metric.body


async def handshake(browser: Browser, **headers: str) -> int:
    """Return the status of the answer to a websocket."""
    try:
        async with Visit(browser, **headers):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


# ---------------------------------------------------------------------------- the checks


def check_requests(ports: dict[str, int]) -> None:
    """Login, redirection, refused paths, limits of size and rate."""
    stranger, student = Browser(ports, "127.0.0.2", login=None), Browser(ports, "127.0.0.2")
    plain = requests.get(f"http://127.0.0.1:{ports['http']}/", allow_redirects=False, timeout=9)
    check("http is redirected", plain.headers["Location"], f"https://{NAME}/")
    check("a page without password", stranger.ask().status_code, 401)
    check("cookies of a refused login", stranger.kept, {})
    stranger.auth = ("class", "wrong")
    check("a page with a wrong password", stranger.ask().status_code, 401)
    check("a page with password", student.ask().status_code, 200)
    check("its title is Streamlit's page", "<title>Streamlit</title>" in student.ask().text, True)
    for path in ("/_stcore/metrics", "/_stcore/agent/openapi.json"):
        check(path, student.ask(path).status_code, 403)
    upload = "/_stcore/upload_file/session/file"
    big = b"x" * 3_000_000
    check("an upload of 3 MB", student.ask(upload, "PUT", data=big).status_code, 413)
    check("another body of 3 MB", student.ask("/", "POST", data=big).status_code, 413)
    check("an upload without session", student.ask(upload, "PUT", data=b"x").status_code, 403)
    check("POST on a page", student.ask("/", "POST").status_code, 403)
    guest = Browser(ports, "127.0.0.9", login=None)
    answers = {guest.ask("/_stcore/stream").status_code for _ in range(400)}
    check("400 websockets of one address at once", answers, {401, 429})


async def check_websockets(ports: dict[str, int], store: Path) -> None:
    """Login of websockets, stickiness, and one store for both processes."""
    stranger = Browser(ports, "127.0.0.2", login=None)
    check("a websocket without login", await handshake(stranger), 401)
    one, two = Browser(ports, "127.0.0.2"), Browser(ports, "127.0.0.2")
    one.ask()
    two.ask()
    check("two visitors of one address are on", sorted([one.process, two.process]), ["a", "b"])
    foreign = await handshake(one, Origin="https://other.example.org")
    check("a websocket opened by a page of another site", foreign, 403)
    seen = set()
    for _ in range(5):
        one.ask("/_stcore/health")
        async with Visit(one) as visit:
            await visit.run()
            seen.add(one.process)
    check("processes of five connections of one visitor", len(seen), 1)
    async with Visit(one) as visit:
        check("Explore in the first process", await visit.run(until_accuracy=True), FINISHED)
        print(f"       accuracy {visit.accuracy}, largest message {visit.largest / 1e6:.2f} MB")
        first, stored = visit.accuracy, results(store)
    check("results are stored", bool(stored), True)
    async with Visit(two) as visit:
        check("Explore in the second process", await visit.run(until_accuracy=True), FINISHED)
        check("its accuracy is that of the first", visit.accuracy, first)
    check("it was found and not measured again", results(store) == stored, True)
    for page in ("compare", "curves", "sensitivity", "retrain", "agreement", "about"):
        async with Visit(one, page) as visit:
            check(f"the page {page}", await visit.run(), FINISHED)
    async with Visit(one) as visit:
        with suppress(ConnectionClosed):
            await visit.connection.send(b"x" * 21 * 2**20)
            await asyncio.wait_for(visit.connection.recv(), PAGE_S)
        # 1009, "message too big", unless the connection breaks while the client still sends.
        is_closed = visit.connection.close_code in (1009, 1006)
        check("a websocket message of 21 MB closes the connection", is_closed, True)


def results(store: Path) -> list[tuple]:
    """Return the keys of the stored results and when they were measured."""
    with sqlite3.connect(store) as database:
        return database.execute("SELECT key, images, made FROM results ORDER BY key").fetchall()


def make_run(folder: Path, owner_address: str) -> str:
    """Make a run that has not started, as a visitor of this address would."""
    from pruning import Recipe
    from pruning.training.run_files import RunFiles
    from pruning.training.spec import RunSpec

    os.environ["PRUNESCOPE_RUNS"] = str(folder / "runs")
    recipe = Recipe.one_step("lenet300", "digits", value=0.5)
    spec = RunSpec(recipe, "finetune", epochs=1, seed=len(list(folder.glob("runs/*"))))
    RunFiles(spec.name).folder.mkdir(parents=True)
    RunFiles(spec.name).save_spec(spec, hashlib.sha256(owner_address.encode()).hexdigest()[:16])
    return spec.name


async def may_delete(browser: Browser, run: str, **headers: str) -> bool:
    """Return whether the page Retrain offers to delete a run."""
    query = f"network=lenet300&dataset=digits&run={run}"
    async with Visit(browser, "retrain", query, **headers) as visit:
        await visit.run()
        return "Delete this run" in visit.buttons


async def check_owners(ports: dict[str, int], folder: Path) -> None:
    """Owners of runs by address."""
    run = make_run(folder, "127.0.0.2")
    owner, other = Browser(ports, "127.0.0.2"), Browser(ports, "127.0.0.3")
    local = Browser(ports, "127.0.0.1")
    for browser in (owner, other, local):
        browser.ask()
    forged = {"X-Forwarded-For": "127.0.0.1"}
    check("the owner's address may delete a run", await may_delete(owner, run), True)
    check("another address may", await may_delete(other, run), False)
    check(
        "another address that forges 127.0.0.1 may", await may_delete(other, run, **forged), False
    )
    check("the machine of the server may", await may_delete(local, run), True)


async def check_owners_by_browser(ports: dict[str, int], folder: Path) -> None:
    """Owners of runs by browser, behind one address."""
    one, two = Browser(ports, "127.0.0.2"), Browser(ports, "127.0.0.2")
    one.ask()
    two.ask()
    digits = one.kept["prunescope_browser"]
    run = make_run(folder, "fd" + ":".join(re.findall("....", digits))[2:])
    check("by browser: the owner may delete a run", await may_delete(one, run), True)
    check("by browser: another of the same address may", await may_delete(two, run), False)
    two.kept["prunescope_browser"] = "127.0.0.1"
    check("by browser: with a forged cookie", await may_delete(two, run), False)


async def check_loss(ports: dict[str, int], processes: dict, folder: Path) -> None:
    """kill -9 of a process, and its return."""
    browsers = [Browser(ports, "127.0.0.2") for _ in range(2)]
    for browser in browsers:
        browser.ask()
    lost = next(browser for browser in browsers if browser.process == "a")
    kept = next(browser for browser in browsers if browser.process == "b")
    async with Visit(lost) as first, Visit(kept) as second:
        await first.run()
        await second.run()
        helpers = children(processes["a"].pid)
        processes["a"].send_signal(signal.SIGKILL)
        processes["a"].wait()
        began = time.monotonic()
        with suppress(ConnectionClosed):
            while True:
                await asyncio.wait_for(first.connection.recv(), PAGE_S)
        code = first.connection.close_code
        print(f"       its connection ends after {time.monotonic() - began:.2f} s, code {code}")
        check("the visitor of the other process goes on", await second.run(), FINISHED)
    check("the page of the lost visitor, reloaded", lost.ask().status_code, 200)
    async with Visit(lost) as visit:
        check("runs to its end", await visit.run(until_accuracy=True), FINISHED)
    check("in the process", lost.process, "b")
    await asyncio.sleep(5)
    check("processes left behind", [pid for pid in helpers if is_running(pid)], [])
    with application(ports["a"], folder):
        wait_for_health(ports["a"])
        await asyncio.sleep(6)  # fail_timeout
        new = [Browser(ports, "127.0.0.2") for _ in range(4)]
        for browser in new:
            browser.ask()
        check("restarted: new visitors are on", sorted({each.process for each in new}), ["a", "b"])
        async with Visit(lost) as visit:
            await visit.run()
        check("restarted: the lost visitor stays on", lost.process, "b")


def children(process: int) -> list[int]:
    """Return the child processes of a process."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


def is_running(process: int) -> bool:
    """Return whether a process exists, other than as an entry that nobody has read."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False
    return "\nState:\tZ" not in status


@dataclass(frozen=True)
class Classroom:
    """Two application processes behind nginx.

    Parameters
    ----------
    ports : dict of str to int
        ``a`` and ``b`` of the processes, ``http`` and ``https`` of nginx.
    folder : Path
        Of their files: configuration, logs and results.
    processes : dict of str to subprocess.Popen
        The application processes, by name.
    nginx : subprocess.Popen
        The proxy.
    """

    ports: dict[str, int]
    folder: Path
    processes: dict[str, subprocess.Popen]
    nginx: subprocess.Popen

    @property
    def configuration(self) -> Path:
        """The file that nginx reads."""
        return self.folder / "nginx.conf"


@contextmanager
def classroom() -> Iterator[Classroom]:
    """Run two application processes behind nginx, in a temporary folder."""
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    ports = dict(zip(("a", "b", "http", "https"), free_ports(4), strict=True))
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        make_secrets(folder)
        configuration = folder / "nginx.conf"
        configuration.write_text(nginx_configuration(folder, ports))
        command = ["nginx", "-e", str(folder / "nginx.log"), "-c", str(configuration)]
        tested = subprocess.run([*command, "-t"], capture_output=True, text=True)
        check("nginx -t", tested.returncode, 0)
        if tested.returncode:
            sys.exit(tested.stderr)
        processes = {
            each: stack.enter_context(application(ports[each], folder)) for each in ("a", "b")
        }
        for each in ("a", "b"):
            wait_for_health(ports[each])
        nginx = stack.enter_context(running([*command, "-g", "daemon off;"], folder / "nginx.out"))
        time.sleep(1)
        yield Classroom(ports, folder, processes, nginx)


def main() -> int:
    """Run all checks; return the exit status."""
    with classroom() as servers:
        ports, folder = servers.ports, servers.folder
        check_requests(ports)
        asyncio.run(check_websockets(ports, folder / "results.sqlite"))
        asyncio.run(check_owners(ports, folder))
        text = servers.configuration.read_text()
        servers.configuration.write_text(
            text.replace("default $remote_addr;  # or", "default $browser_address; #")
        )
        servers.nginx.send_signal(signal.SIGHUP)
        time.sleep(2)
        asyncio.run(check_owners_by_browser(ports, folder))
        asyncio.run(check_loss(ports, servers.processes, folder))
    print(f"{len(failures)} failed" if failures else "all as expected")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
