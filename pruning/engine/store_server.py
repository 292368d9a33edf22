"""The store in a PostgreSQL database, which several servers share.

Imported only where the store has such an address: SQLAlchemy and psycopg are optional.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.sql.elements import TextClause

from pruning.engine.store_database import (
    COLUMNS,
    STORE_VARIABLE,
    TABLE,
    Answer,
    Database,
    Transaction,
)
from pruning.runtime.errors import PrunescopeError

DRIVER = "postgresql+psycopg"
EXAMPLE = f"{DRIVER}://user:password@host/database"
CONNECTIONS = 4
"""Most connections of a process; PostgreSQL allows 100 in all by default."""
CONNECT_S = 3
RETRY_S = 10.0
"""Time after a failure in which the server is not tried again: pages do not wait for it."""
CONNECT_ARGUMENTS: dict[str, Any] = {
    "application_name": "prunescope",
    "connect_timeout": CONNECT_S,
    # A machine that has vanished is noticed after 15 s, not after hours.
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
# A process that is suspended does not hold its rows for ever.
SESSION = (
    "SET lock_timeout = '10s'; SET statement_timeout = '30s';"
    " SET idle_in_transaction_session_timeout = '30s'"
)
CREATION_LOCK = 7_365_817_211
"""Number of the advisory lock of those who create the table; any that nobody else uses."""
NO_TABLE = "42P01"
CONFLICTS = ("40001", "40P01")
"""A serialization failure, and a deadlock."""
TIMEOUTS = ("55P03", "57014")
"""Waiting for a lock, or a statement, has taken too long: the server is there."""
ATTEMPTS = 3
MAX_REFUSALS = 20
"""Most reasons for which a server refuses a statement that are logged."""
PAUSE_S = 0.05
"""Time before another attempt, in which the other side of a deadlock ends."""
SHOWN_OPTIONS = ("host", "port")
"""Options of an address that people read; others may be passwords."""
SECRET_OPTIONS = ("password", "sslpassword")

logger = logging.getLogger(__name__)


class ServerDatabase(Database):
    """The table in a PostgreSQL database, with a few connections for all threads.

    Parameters
    ----------
    address : str
        Such as ``postgresql+psycopg://user:password@host/database``.

    Raises
    ------
    PrunescopeError
        The address is not valid. Whether there is a server is found out later.
    """

    def __init__(self, address: str) -> None:
        self._url = _parse(address)
        self._engine = _new_engine(self._url)
        self._process = os.getpid()
        self._has_table = False
        self._finding_table = threading.Lock()
        self._outage = _Outage()
        self._refusals: set[str] = set()

    @property
    def location(self) -> str:
        """The address without its password."""
        shown = {name: self._url.query[name] for name in SHOWN_OPTIONS if name in self._url.query}
        return self._url.set(query=shown).render_as_string(hide_password=True)

    def transaction(self, work: Callable[[Transaction], Answer], default: Answer) -> Answer:
        """Do ``work`` in one transaction.

        If the server cannot be used, the answer is ``default``, which is logged once. A server that
        does not answer is not tried again for `RETRY_S`; one that refuses a statement is, since an
        account that may not write may read.

        Parameters
        ----------
        work : callable
            Called with the open transaction; again after a deadlock or a lost connection.
        default : object
            The answer if the server cannot be used.

        Returns
        -------
        object
            What ``work`` has returned, or ``default``.
        """
        if self._has_table:
            return self._attempt(work, default)
        with self._finding_table:  # one thread finds out whether there is a server, not all
            return self._attempt(work, default)

    def _attempt(self, work: Callable[[Transaction], Answer], default: Answer) -> Answer:
        if not self._outage.may_try():
            return default
        try:
            answer = self._do(work)
        except (DBAPIError, PoolTimeoutError) as error:
            self._note(error)
            return default
        if self._outage.end():
            logger.warning("the store %s is used again", self.location)
        return answer

    def _note(self, error: DBAPIError | PoolTimeoutError) -> None:
        """Log a failure, once for each outage or for each reason of a refusal."""
        description = self._describe(error)
        is_lost = isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)
        if is_lost and _state(error) not in TIMEOUTS:
            is_new = self._outage.begin()
        else:
            self._outage.end()  # it has answered
            is_new = description not in self._refusals and len(self._refusals) < MAX_REFUSALS
            self._refusals.add(description)
        if is_new:
            message = "the store %s cannot be used (%s): results are not kept"
            logger.warning(message, self.location, description)

    def check(self) -> None:
        """Check that all results can be read, also where a failure is not long ago.

        Raises
        ------
        PrunescopeError
            They cannot.
        """

        def read(transaction: Transaction) -> None:
            transaction.select(f"SELECT {', '.join(COLUMNS)} FROM results LIMIT 1", {})

        try:
            self._do(read)
        except (DBAPIError, PoolTimeoutError) as error:
            raise PrunescopeError(
                f"{self.location} cannot be read as a store of results "
                f"({self._describe(error)}): start the server, or set {STORE_VARIABLE} to "
                "another address or to a file"
            ) from None
        self._outage.end()

    def close(self) -> None:
        """Close the connections of this process; the next use opens others."""
        # After a fork, those of the parent are its own.
        self._engine.dispose(close=self._process == os.getpid())
        self._process = os.getpid()

    def _do(self, work: Callable[[Transaction], Answer]) -> Answer:
        """Do the work; again after a failure that another attempt may not have."""
        if self._process != os.getpid():
            self.close()
        for _ in range(ATTEMPTS - 1):
            try:
                return self._do_once(work)
            except DBAPIError as error:
                if _state(error) == NO_TABLE:
                    self._has_table = False  # somebody has removed it
                elif _state(error) in CONFLICTS:
                    time.sleep(PAUSE_S)
                elif not error.connection_invalidated:
                    raise
        return self._do_once(work)

    def _do_once(self, work: Callable[[Transaction], Answer]) -> Answer:
        if not self._has_table:
            with self._engine.begin() as connection:
                _create_table(connection)
            self._has_table = True
        with self._engine.begin() as connection:
            return work(_ServerTransaction(connection))

    def _describe(self, error: Exception) -> str:
        """Return the first line of a message, without passwords."""
        if isinstance(error, PoolTimeoutError):
            return f"none of {CONNECTIONS} connections has become free in {CONNECT_S} s"
        cause = error.orig if isinstance(error, DBAPIError) else error
        line = str(cause).strip().partition("\n")[0]
        for secret in _secrets(self._url):
            line = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", line)
        return line or type(cause).__name__


@dataclass(frozen=True)
class _ServerTransaction(Transaction):
    connection: Connection

    def select(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(_text(statement), values)]

    def change(self, statement: str, values: Mapping[str, Any]) -> int:
        return self.connection.execute(_text(statement), values).rowcount

    def change_many(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:  # an empty list would be one execution without values
            self.connection.execute(_text(statement), list(rows))


class _Outage:
    """Whether the server has failed, and when it is tried again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_out = False
        self._next_try = 0.0

    def may_try(self) -> bool:
        """Whether to use the server now: during an outage, one thread after each `RETRY_S`."""
        with self._lock:
            if not self._is_out:
                return True
            now = time.monotonic()
            if now < self._next_try:
                return False
            self._next_try = now + RETRY_S
            return True

    def begin(self) -> bool:
        """Note a failure; return whether it is the first one of an outage."""
        with self._lock:
            is_first = not self._is_out
            self._is_out = True
            self._next_try = time.monotonic() + RETRY_S
            return is_first

    def end(self) -> bool:
        """Note a success; return whether it ends an outage."""
        with self._lock:
            was_out = self._is_out
            self._is_out = False
            return was_out


def _parse(address: str) -> URL:
    """Parse an address; the name of the driver may be left out."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # its message may quote the password
        url = None
    if url is None or "%00" in address:
        raise _invalid_address("it cannot be read as an address")
    if url.drivername not in ("postgres", "postgresql", DRIVER):
        raise _invalid_address(f"its scheme is {url.drivername}")
    if not url.database:
        raise _invalid_address("the name of the database is missing")
    return url.set(drivername=DRIVER)


def _invalid_address(reason: str) -> PrunescopeError:
    return PrunescopeError(
        f"{STORE_VARIABLE} is not valid ({reason}): it is the path of a file, or {EXAMPLE}"
    )


def _new_engine(url: URL) -> Engine:
    arguments = {}
    for name, value in CONNECT_ARGUMENTS.items():
        if name not in url.query:
            arguments[name] = value
    try:
        engine = sqlalchemy.create_engine(
            url,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=CONNECT_S,
            pool_pre_ping=True,
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args=arguments,
        )
    except (ArgumentError, ValueError):
        raise _invalid_address("its options do not agree") from None
    event.listen(engine, "connect", _begin_session)
    return engine


def _begin_session(connection: psycopg.Connection, record: object) -> None:
    connection.execute(SESSION)
    connection.commit()  # settings of a transaction that is rolled back are lost


def _create_table(connection: Connection) -> None:
    """Create the table, unless it is there; others may do the same at the same time."""
    has_table = "SELECT to_regclass('results') IS NOT NULL"
    if connection.scalar(_text(has_table)):  # also where creating is not allowed
        return
    connection.execute(_text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CREATION_LOCK})
    connection.execute(_text(TABLE))


@lru_cache(maxsize=32)
def _text(statement: str) -> TextClause:
    return sqlalchemy.text(statement)


def _state(error: DBAPIError | PoolTimeoutError) -> str | None:
    """The error code of PostgreSQL; None for an error of another kind."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def _secrets(url: URL) -> list[str]:
    """Passwords of an address."""
    secrets = [str(url.password or "")]
    for name in SECRET_OPTIONS:
        value = url.query.get(name, "")
        secrets += [value] if isinstance(value, str) else value
    return [secret for secret in secrets if secret]
