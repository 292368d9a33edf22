"""The store on a PostgreSQL server; `test_store.py` runs with it, too."""

import csv
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.engine import cluster_files, store
from pruning.engine.evaluate import evaluate
from pruning.runtime.errors import PrunescopeError
from tests.pruning.engine.test_store import RECIPE, ROOT, STORED, get, put, result
from tests.pruning.local_postgres import PASSWORD, QUOTED_PASSWORD, USER

pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

from pruning.engine import store_server
from pruning.engine.store_server import ServerDatabase

ADDRESS = "postgresql+psycopg://me:secret@host/db"


@pytest.fixture
def server(server_store):
    """The store is on a server that runs."""
    return server_store


@pytest.fixture
def restarted(server):
    """The server runs again after the test."""
    yield server
    server.stop()
    server.start()


@pytest.fixture
def free_address(monkeypatch):
    """The store is on a port where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("PRUNESCOPE_STORE", f"postgresql+psycopg://me:secret@127.0.0.1:{port}/db")
    yield
    store.close()


@pytest.fixture
def address(monkeypatch):
    """Set the address of the store."""
    yield lambda text: monkeypatch.setenv("PRUNESCOPE_STORE", text)
    store.close()


def messages(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if "pruning" in record.name]


@pytest.mark.parametrize(
    "text, shown",
    [
        (ADDRESS, "postgresql+psycopg://me:***@host/db"),
        ("postgresql://me:secret@host:6432/db", "postgresql+psycopg://me:***@host:6432/db"),
        ("postgres://me:secret@host/db", "postgresql+psycopg://me:***@host/db"),
        (" postgresql://me@host/db\n", "postgresql+psycopg://me@host/db"),
        (
            "postgresql://me@/db?host=/run/postgresql&password=secret",
            "postgresql+psycopg://me@/db?host=%2Frun%2Fpostgresql",
        ),
        (
            "postgresql://me:secret@host/db?sslpassword=secret",
            "postgresql+psycopg://me:***@host/db",
        ),
    ],
)
def test_people_see_the_address_without_passwords(address, text, shown):
    address(text)
    assert store.location() == shown
    with pytest.raises(ValueError, match="no file"):
        store.path()


@pytest.mark.parametrize(
    "text",
    [
        "mysql://me:secret@host/db",
        "sqlite:///secret.sqlite",
        "https://secret/db",
        "postgresql+psycopg2://me:secret@host/db",
        "postgresql+asyncpg://me:secret@host/db",
        "postgresql://me:secret@host:port/db",
        "postgresql://me:secret@host:99999999999999999999x/db",
        "postgresql:/me:secret@host/db",
        "postgresql+psycopg:me:secret@host/db",
        "postgresql://me:secret@host",
        "postgresql://me:secret@host/",
        "postgresql://",
        "postgresql://me:sec%00ret@host/db",
        "postgresql://me:secret@[::1/db",
        "postgresql://me:secret@/db?host=a,b,c&port=1,2",
        "postgresql://me:secret@host/db?port=secret",
    ],
)
def test_an_address_that_is_not_valid_is_refused_in_one_sentence(address, text):
    address(text)
    for use in (store.location, store.check, get, lambda: put(result()), store.clear):
        with pytest.raises(PrunescopeError, match="PRUNESCOPE_STORE is not valid") as raised:
            use()
        assert "secret" not in str(raised.value) and "\n" not in str(raised.value)
        assert "postgresql+psycopg://user:password@host/database" in str(raised.value)


@pytest.mark.parametrize(
    "options", ["unknown=secret", "connect_timeout=secret", "sslmode=secret", "service=secret"]
)
def test_options_that_the_driver_refuses_are_logged(address, options, caplog):
    address(f"postgresql://me:secret@127.0.0.1/db?password=secret&{options}")
    assert not put(result()) and get() is None
    [message] = messages(caplog)
    assert "cannot be used" in message and "secret" not in message


@pytest.mark.parametrize("package", ["sqlalchemy", "psycopg"])
def test_without_the_extra_a_sentence_says_what_to_install(address, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # its import fails
    monkeypatch.delitem(sys.modules, "pruning.engine.store_server")
    monkeypatch.delattr("pruning.engine.store_server")
    address(ADDRESS)
    with pytest.raises(PrunescopeError, match=r"run `pip install prunescope\[postgresql\]`"):
        get()


@pytest.mark.slow
def test_with_a_file_neither_package_is_imported():
    program = (
        "import sys; from pruning.engine import store; store.clear(); "
        "sys.exit('sqlalchemy' in sys.modules or 'psycopg' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_workers_of_a_cluster_keep_a_file_of_their_own(address, monkeypatch):
    address(ADDRESS)
    monkeypatch.setenv(cluster_files.FOLDER_VARIABLE, "")  # restored after the test
    cluster_files.worker_folder.cache_clear()
    folder = cluster_files.worker_folder()
    cluster_files.worker_folder.cache_clear()
    assert store.path() == folder / "results.sqlite"
    assert store.location() == str(folder / "results.sqlite")


def test_a_server_that_is_not_there_is_logged_once_and_not_tried_again(free_address, caplog):
    assert not put(result()) and get() is None
    start = time.perf_counter()
    for _ in range(1000):
        assert get() is None and not put(result())
    assert time.perf_counter() - start < 2
    [evaluation] = evaluate([RECIPE])
    assert evaluation.accuracy.complete
    [message] = messages(caplog)
    assert "cannot be used" in message and "results are not kept" in message
    assert "me:***@127.0.0.1" in message and "secret" not in message
    assert "\n" not in message


@pytest.mark.slow
def test_a_machine_that_does_not_answer_delays_all_threads_once(address, caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/db")
        assert store.key(RECIPE, "test") and store.location()  # everything is loaded
        start = time.perf_counter()
        with ThreadPoolExecutor(12) as pool:
            assert set(pool.map(lambda _: get(), range(48))) == {None}
        assert time.perf_counter() - start < 3 * store_server.CONNECT_S
    [message] = messages(caplog)
    assert "timeout expired" in message


@pytest.mark.parametrize(
    "account, database, reason",
    [
        (f"{USER}:secret", "results", "password authentication failed"),
        (f"{USER}:{QUOTED_PASSWORD}", "elsewhere", 'database "elsewhere" does not exist'),
    ],
)
def test_a_server_that_refuses_is_logged_without_the_password(
    server, address, account, database, reason, caplog
):
    address(server.address_of(account, database))
    assert not put(result()) and get() is None
    [message] = messages(caplog)
    assert reason in message and "secret" not in message and PASSWORD not in message
    assert QUOTED_PASSWORD not in message
    with pytest.raises(PrunescopeError, match="start the server, or set") as raised:
        store.check()
    assert reason in str(raised.value) and "secret" not in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_stops_and_starts_again_is_used_again(restarted, monkeypatch, caplog, end):
    monkeypatch.setattr(store_server, "RETRY_S", 0.5)
    other = result(RECIPE.with_last_step(value=0.6))
    assert put(result()) and get() == STORED
    getattr(restarted, end)()
    assert get() is None and not put(other)
    with pytest.raises(PrunescopeError, match="cannot be read"):
        store.check()
    restarted.start()
    deadline = time.monotonic() + 10
    while get() != STORED:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert put(other) and len(list(store.rows())) == 2
    lost, found = messages(caplog)
    assert "cannot be used" in lost and "is used again" in found


@pytest.mark.slow
def test_a_short_interruption_between_two_queries_is_not_noticed(restarted, caplog):
    assert put(result())
    restarted.stop()
    restarted.start()
    assert get() == STORED and put(result()) and messages(caplog) == []


def test_a_connection_that_is_lost_in_a_transaction_is_opened_again(server, caplog):
    put(result())
    calls = []

    def work(transaction):
        calls.append(1)
        if len(calls) == 1:
            [(pid,)] = transaction.select("SELECT pg_backend_pid()", {})
            server.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return transaction.select("SELECT images FROM results", {})

    assert store._transaction(work, default=[]) == [(360,)]
    assert len(calls) == 2 and messages(caplog) == []


def test_a_deadlock_is_resolved(server, caplog):
    first, second = result(), result(RECIPE.with_last_step(value=0.6))
    put(first, second)
    keys = [store.key(evaluation.recipe, "test") for evaluation in (first, second)]
    both_have_one = threading.Barrier(2)
    attempts = []

    def write(order: list[str]) -> bool:
        is_repeated = []

        def work(transaction) -> bool:
            attempts.append(1)
            update = "UPDATE results SET made = made + 1 WHERE key = :key"
            transaction.change(update, {"key": order[0]})
            if not is_repeated:
                is_repeated.append(1)
                both_have_one.wait(10)
            transaction.change(update, {"key": order[1]})
            return True

        return store._transaction(work, default=False)

    before = sum(row["made"] for row in store.rows())
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(write, [keys, keys[::-1]]))
    assert len(attempts) == 3 and messages(caplog) == []
    assert sum(row["made"] for row in store.rows()) == pytest.approx(before + 4, abs=1e-3)


WRITER = """
import sys
from tests.pruning.engine.test_store import RECIPE, put, result
recipes = [RECIPE.with_last_step(value=i / 1000) for i in range(100)]
own = RECIPE.with_last_step(value=0.5 + int(sys.argv[1]) / 1000)
order = recipes if sys.argv[1] == "0" else recipes[::-1]
print("ready", flush=True)
sys.stdin.readline()
for i in range(20):
    images = 10 * (i % 10 + 1)
    assert put(*[result(recipe, images, float(i)) for recipe in order], is_unfinished=i < 19)
assert put(result(own))
"""


@pytest.mark.slow
def test_two_processes_that_write_the_same_rows_at_once_lose_nothing(server):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(i)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for i in range(2)
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0 and errors == ""
    rows = list(store.rows())
    finished = [json.loads(row["result"])["loss"] for row in rows if row["images"] == 100]
    assert finished == [19.0] * 100
    assert sum(row["images"] == 360 for row in rows) == 2


def test_many_threads_of_many_processes_create_the_table_at_once(server, caplog):
    databases = [ServerDatabase(server.address) for _ in range(8)]
    together = threading.Barrier(8)

    def create(database: ServerDatabase) -> list[tuple]:
        together.wait(10)
        return database.transaction(
            lambda transaction: transaction.select("SELECT count(*) FROM results", {}), []
        )

    for _ in range(5):
        server.execute("DROP TABLE IF EXISTS results")
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(create, databases)) == [[(0,)]] * 8
    for database in databases:
        database.close()
    assert messages(caplog) == []


def test_a_table_that_is_removed_is_made_again(server, caplog):
    put(result())
    server.execute("DROP TABLE results")
    assert get() is None and put(result()) and get() == STORED and messages(caplog) == []


def test_another_table_of_that_name_is_not_touched(server, caplog):
    server.execute("CREATE TABLE results (other TEXT)")
    for _ in range(3):
        assert not put(result()) and get() is None
    with pytest.raises(PrunescopeError, match="does not exist"):
        store.check()
    assert server.execute("SELECT * FROM results") == []
    assert len(messages(caplog)) == 2  # one about writing, one about reading


def test_an_account_that_may_only_read_reads(server, address, caplog):
    put(result())
    server.execute("DROP ROLE IF EXISTS reader")
    server.execute("CREATE ROLE reader LOGIN PASSWORD 'r'")
    server.execute("GRANT SELECT ON results TO reader")
    address(server.address_of("reader:r"))
    store.check()
    assert get() == STORED and messages(caplog) == []
    for _ in range(3):
        assert not put(result())
        with pytest.raises(PrunescopeError, match="cannot be used"):
            store.clear()
        assert get() == STORED
    [message] = messages(caplog)
    assert "permission denied for table results" in message
    server.execute("DROP OWNED BY reader")
    server.execute("DROP ROLE reader")


def test_a_process_after_a_fork_has_connections_of_its_own(server):
    put(result())
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if get() == STORED and put(result()) else 1
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert get() == STORED


def test_a_process_has_few_connections(server):
    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(lambda _: put(result()), range(100)))
    [(count,)] = server.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'prunescope'"
    )
    assert 1 <= count <= store_server.CONNECTIONS


def test_times_have_full_precision_and_text_is_kept(server, monkeypatch):
    made = 1796000000.1234567
    monkeypatch.setattr("pruning.engine.store.time.time", lambda: made)
    put(result())
    [row] = store.rows()
    assert row["made"] == made and type(row["made"]) is float
    assert type(row["images"]) is int and json.loads(row["recipe"])["network"] == "lenet300"


def test_an_export_that_fails_leaves_the_file_before(server, tmp_path):
    put(result())
    file = tmp_path / "all.csv"
    assert store.export(file) == 1
    before = file.read_bytes()
    server.execute("ALTER TABLE results RENAME COLUMN made TO other")
    with pytest.raises(PrunescopeError, match="cannot be used"):
        store.export(file)
    assert file.read_bytes() == before
    server.execute("ALTER TABLE results RENAME COLUMN other TO made")


def test_waiting_too_long_for_a_lock_is_no_outage(server, address, monkeypatch, caplog):
    monkeypatch.setattr(store_server, "SESSION", "SET lock_timeout = '100ms'")
    address(server.address)
    put(result())
    sqlalchemy = store_server.sqlalchemy
    engine = sqlalchemy.create_engine(server.address)
    with engine.begin() as other:
        other.execute(sqlalchemy.text("LOCK TABLE results IN EXCLUSIVE MODE"))
        assert not put(result(loss=2.0))
        assert get() == STORED  # reading is possible meanwhile
    engine.dispose()
    assert put(result())
    [message] = messages(caplog)
    assert "lock timeout" in message


def test_a_row_without_a_result_is_dropped(server, caplog):
    put(result())
    server.execute("UPDATE results SET result = NULL")
    assert get() is None and list(store.rows()) == []
    [message] = messages(caplog)
    assert "damaged" in message and PASSWORD not in message and QUOTED_PASSWORD not in message


BATCHES = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from([100, 250, 360])), min_size=0, max_size=4
        ),
        st.booleans(),
    ),
    max_size=6,
)


@pytest.mark.slow
def test_a_file_and_a_server_have_the_same_content(server, tmp_path, monkeypatch):
    contents = []

    def content_after(where: str, batches: list) -> list:
        monkeypatch.setenv("PRUNESCOPE_STORE", where)
        store.clear()
        ticks = iter(range(1000))
        monkeypatch.setattr("pruning.engine.store.time.time", lambda: float(next(ticks)))
        for members, is_unfinished in batches:
            evaluations = []
            for value, images in members:
                evaluations.append(result(RECIPE.with_last_step(value=value / 10), images))
            assert put(*evaluations, is_unfinished=is_unfinished)
        rows = sorted(store.rows(), key=lambda row: (row["key"], row["images"]))
        exported = store.export(tmp_path / "all.csv")
        with (tmp_path / "all.csv").open(newline="") as opened:
            table = sorted(tuple(row.items()) for row in csv.DictReader(opened))
        found = [get(RECIPE.with_last_step(value=i / 10), 300) for i in range(4)]
        newest = [row["made"] for row in store.rows()]
        assert newest == sorted(newest, reverse=True)
        return [rows, exported, table, found, store.clear(), list(store.rows())]

    @settings(max_examples=60)
    @given(BATCHES)
    def compare(batches):
        contents.append(batches)
        file = content_after(str(tmp_path / "file.sqlite"), batches)
        assert content_after(server.address, batches) == file

    compare()
    assert len(contents) > 20


def test_nothing_but_the_store_logs_the_statements(server, caplog):
    """SQLAlchemy and psycopg log values only where they are asked to."""
    with caplog.at_level(logging.INFO):
        put(result())
        get()
    assert PASSWORD not in caplog.text and QUOTED_PASSWORD not in caplog.text


@pytest.mark.slow
def test_connections_that_are_all_in_use_are_an_outage(server, monkeypatch, caplog):
    put(result())
    release = threading.Event()
    monkeypatch.setattr(store_server, "RETRY_S", 0.1)

    def wait(transaction) -> bool:
        transaction.select("SELECT 1", {})
        return release.wait(30)

    with ThreadPoolExecutor(store_server.CONNECTIONS) as pool:
        waiting = [pool.submit(store._transaction, wait, False) for _ in range(4)]
        time.sleep(0.3)
        assert get() is None
        release.set()
        assert all(future.result() for future in waiting)
    time.sleep(0.2)
    assert get() == STORED
    assert "none of 4 connections has become free" in messages(caplog)[0]
