from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pruning.runtime.registry import Registry, register


@dataclass(frozen=True)
class Entry:
    name: str
    function: Callable
    label: str = ""


def test_entries_keep_their_order_and_names_are_unique():
    registry: Registry[int] = Registry("number")
    assert registry.add("two", 2) == 2
    registry.add("one", 1)
    assert list(registry) == ["two", "one"]
    assert len(registry) == 2
    with pytest.raises(ValueError, match="already a number named 'one'"):
        registry.add("one", 3)


def test_an_unknown_name_lists_the_valid_ones():
    registry: Registry[int] = Registry("number")
    registry.add("one", 1)
    with pytest.raises(ValueError, match="unknown number 'two': choose from one"):
        registry["two"]
    assert "one" in registry
    assert "two" not in registry
    assert ["one"] not in registry  # not hashable: from a file, say


def test_the_decorator_adds_an_entry_and_returns_the_function_unchanged():
    registry: Registry[Entry] = Registry("entry")

    def double(x):
        return 2 * x

    assert register(registry, Entry, "double", label="Double")(double) is double
    assert registry["double"] == Entry("double", double, "Double")
