"""The table of results, and what the store needs of a database: SQLite or PostgreSQL.

Statements have parameters such as ``:key`` and use only what both databases understand.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

COLUMNS = ("key", "images", "recipe", "split", "checkpoint", "data", "result", "made")
# REAL would have four bytes in PostgreSQL. SQLite reads any name with DOUB as its own REAL.
TABLE = """CREATE TABLE IF NOT EXISTS results (
    key TEXT, images INTEGER, recipe TEXT, split TEXT, checkpoint TEXT, data TEXT, result TEXT,
    made DOUBLE PRECISION, PRIMARY KEY (key, images)
)"""
STORE_VARIABLE = "PRUNESCOPE_STORE"

Answer = TypeVar("Answer")


class Transaction(ABC):
    """A transaction that is open."""

    @abstractmethod
    def select(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows that a statement selects.

        Parameters
        ----------
        statement : str
            The statement.
        values : mapping of str to object
            Values by the names of its parameters.

        Returns
        -------
        list of tuple
            The rows.
        """

    @abstractmethod
    def change(self, statement: str, values: Mapping[str, Any]) -> int:
        """Execute a statement that changes rows.

        Parameters
        ----------
        statement : str
            The statement.
        values : mapping of str to object
            Values by the names of its parameters.

        Returns
        -------
        int
            How many rows are changed.
        """

    @abstractmethod
    def change_many(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement for each row.

        Parameters
        ----------
        statement : str
            The statement.
        rows : sequence of mapping
            Values by the names of its parameters; other names are ignored.
        """


class Database(ABC):
    """Where the table of results is."""

    @property
    @abstractmethod
    def location(self) -> str:
        """What people read: a path, or an address without its password."""

    @abstractmethod
    def transaction(self, work: Callable[[Transaction], Answer], default: Answer) -> Answer:
        """Do ``work`` in one transaction.

        A database that cannot be used is logged and is not an error for the caller.

        Parameters
        ----------
        work : callable
            Called with the open transaction; it may be called again after a failure.
        default : object
            The answer if the database cannot be used.

        Returns
        -------
        object
            What ``work`` has returned, or ``default``.
        """

    @abstractmethod
    def check(self) -> None:
        """Check that all results can be read.

        Raises
        ------
        PrunescopeError
            They cannot; the message says what to do.
        """
