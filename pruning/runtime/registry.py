"""One explicit registry per kind of thing: names from a page, a link or a file are looked up here only."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """An ordered mapping from names to entries; an unknown name raises ValueError with the valid ones."""

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        if name in self._entries:
            raise ValueError(f"there is already a {self.kind} named {name!r}")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise ValueError(
                f"unknown {self.kind} {name!r}: choose from {', '.join(self._entries)}"
            )
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def register(registry: Registry, make: Callable, name: str, **info) -> Callable:
    """A decorator that adds ``make(name=name, function=decorated, **info)`` and returns the function as it was."""

    def add(function: Callable) -> Callable:
        registry.add(name, make(name=name, function=function, **info))
        return function

    return add
