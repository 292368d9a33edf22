"""The caches of the process that hold tensors or results: name, size and how to clear them."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

import cachetools

from pruning.data import datasets
from pruning.engine.trained_network import shared_run
from pruning.inference.prefix_cache import prefix_cache
from pruning.models import checkpoints
from pruning.recipe import compatibility

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


@dataclass(frozen=True, eq=False)
class Cache:
    """A cache with a name.

    Parameters
    ----------
    name : str
        What is cached.
    size : callable
        ``size()`` gives the current size, in the unit of ``max_size``.
    max_size : int or None
        Limit on the size, in bytes or entries; None if there is none.
    clear : callable
        ``clear()`` removes every entry.
    """

    name: str
    size: Callable[[], int]
    max_size: int | None
    clear: Callable[[], None]


_registered: list[Cache] = []


class CachedFunction(Generic[Parameters, Result]):
    """A function whose results are cached; made by `cached`.

    Parameters
    ----------
    function : callable
        Computes a result.
    key : callable
        ``key(*arguments)`` gives the key of a call.
    entries : cachetools.LRUCache
        Results by key.
    """

    def __init__(
        self,
        function: Callable[Parameters, Result],
        key: Callable[..., Hashable],
        entries: cachetools.LRUCache,
    ) -> None:
        self._entries = entries
        self._call = cachetools.cached(entries, key=key, lock=threading.Lock())(function)

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return self._call(*args, **kwargs)

    def is_cached(self, key: Hashable) -> bool:
        """Return whether the result of a key is in the cache.

        Parameters
        ----------
        key : hashable
            As the key function gives it.

        Returns
        -------
        bool
            True if a call would not compute.
        """
        return key in self._entries


class StoredValues(Generic[Result]):
    """A cache that its owner fills; the least recently used values are dropped.

    Parameters
    ----------
    name : str
        What is cached, as `caches` lists it.
    max_size : int
        Limit on the sum of the sizes of all values.
    size_of : callable
        ``size_of(value)`` gives the size of a value.
    """

    def __init__(self, name: str, *, max_size: int, size_of: Callable[[Any], int]) -> None:
        self._values: cachetools.LRUCache = cachetools.LRUCache(max_size, getsizeof=size_of)
        self._lock = threading.Lock()
        _registered.append(
            Cache(name, lambda: int(self._values.currsize), max_size, self._values.clear)
        )

    def get(self, key: Hashable) -> Result | None:
        """Return a value.

        Parameters
        ----------
        key : hashable
            As in `put`.

        Returns
        -------
        object or None
            None if it is not, or no longer, in the cache.
        """
        with self._lock:
            return self._values.get(key)

    def put(self, key: Hashable, value: Result) -> None:
        """Add a value; one that is larger than the cache is not kept.

        Parameters
        ----------
        key : hashable
            Anything.
        value : object
            The value.
        """
        with self._lock:
            try:
                self._values[key] = value
            except ValueError:  # too large
                return


def cached(
    name: str,
    *,
    max_size: int,
    key: Callable[..., Hashable],
    size_of: Callable[[Any], int] = lambda value: 1,
) -> Callable[[Callable[Parameters, Result]], CachedFunction[Parameters, Result]]:
    """Cache the results of a function; the least recently used ones are dropped.

    The cache never waits for the result of another thread: that thread may itself be waiting for
    its turn to compute.

    Parameters
    ----------
    name : str
        What is cached, as `caches` lists it.
    max_size : int
        Limit on the sum of the sizes of all entries.
    key : callable
        ``key(*arguments)`` gives the key of a call.
    size_of : callable
        ``size_of(result)`` gives the size of an entry; by default 1.

    Returns
    -------
    callable
        Decorator that gives a `CachedFunction`.
    """

    def decorate(function: Callable[Parameters, Result]) -> CachedFunction[Parameters, Result]:
        entries: cachetools.LRUCache = cachetools.LRUCache(max_size, getsizeof=size_of)
        _registered.append(Cache(name, lambda: int(entries.currsize), max_size, entries.clear))
        return CachedFunction(function, key, entries)

    return decorate


def caches() -> list[Cache]:
    """List the caches of the process that hold tensors or results.

    Returns
    -------
    list of Cache
        Those of the engine in the order of their definition, then those of the rooms below it.
    """
    prefixes = prefix_cache()
    lower = [
        Cache(
            "outputs of shared prefixes",
            lambda: int(prefixes.currsize),
            int(prefixes.maxsize),
            prefixes.clear,
        )
    ]
    lower += [
        *(_function_cache(name, load) for name, load in datasets.CACHED_FUNCTIONS.items()),
        _function_cache("trained networks", checkpoints.shipped_model),
        _function_cache("checkpoint cards", checkpoints.shared_card),
        _function_cache("networks of runs", shared_run),
        _function_cache("groups of dense networks", compatibility.dense_groups),
    ]
    return [*_registered, *lower]


def clear_caches() -> None:
    """Clear every cache."""
    for cache in caches():
        cache.clear()


def _function_cache(name: str, function: Any) -> Cache:
    return Cache(
        name,
        lambda: function.cache_info().currsize,
        function.cache_info().maxsize,
        function.cache_clear,
    )
