"""Registries: one for each kind of object. A name from a page, URL or file is looked up here."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable)


class Registry(Mapping[str, T]):
    """An ordered mapping from names to entries.

    An unknown name raises ValueError, with the valid names in its message. Entries that are not
    listed, such as a network of one user, are found by their name only.

    Parameters
    ----------
    kind : str
        What the entries are, for messages, such as ``"criterion"``.
    """

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, T] = {}
        self._unlisted: dict[str, T] = {}

    def add_unlisted(self, name: str, entry: T) -> T:
        """Add an entry that is not listed, if there is none of the name.

        Parameters
        ----------
        name : str
            A name that no listed entry has.
        entry : object
            The entry.

        Returns
        -------
        object
            The entry of the name, which is a hash of the content: an earlier one is the same.

        Raises
        ------
        ValueError
            If a listed entry has the name.
        """
        if name in self._entries:
            raise ValueError(f"there is already a {self.kind} named {name!r}")
        return self._unlisted.setdefault(name, entry)

    def discard(self, name: str) -> None:
        """Remove an entry, if there is one of this name.

        Parameters
        ----------
        name : str
            A name.
        """
        self._entries.pop(name, None)
        self._unlisted.pop(name, None)

    def add(self, name: str, entry: T) -> T:
        """Add an entry.

        Parameters
        ----------
        name : str
            A name that is not taken.
        entry : object
            The entry.

        Returns
        -------
        object
            The entry.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        if name in self._entries:
            raise ValueError(f"there is already a {self.kind} named {name!r}")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise ValueError(
                f"unknown {self.kind} {name!r}: choose from {', '.join(self._entries)}"
            )
        return self._entries[name] if name in self._entries else self._unlisted[name]

    def require(self, name: str) -> T:
        """Return the entry of a name; a statement that only checks the name reads as one.

        Parameters
        ----------
        name : str
            The name of an entry.

        Returns
        -------
        object
            The entry.

        Raises
        ------
        ValueError
            If the name is unknown.
        """
        return self[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._entries or name in self._unlisted)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def register(
    registry: Registry[T], make: Callable[..., T], name: str, **info: Any
) -> Callable[[Function], Function]:
    """Make a decorator that registers a function.

    Parameters
    ----------
    registry : Registry
        Where the entry is added.
    make : callable
        The class of the entry: called as ``make(name=name, function=decorated, **info)``.
    name : str
        A name that is not taken.
    **info
        Further fields of the entry.

    Returns
    -------
    callable
        The decorator, which returns the function unchanged.
    """

    def add(function: Function) -> Function:
        registry.add(name, make(name=name, function=function, **info))
        return function

    return add
