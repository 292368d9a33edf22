"""Errors with a cause outside the program."""

import inspect

from pruning.runtime import errors
from pruning.runtime.errors import PrunescopeError


def test_every_error_can_be_caught_as_one_kind():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert len(kinds) > 1
    assert all(issubclass(kind, PrunescopeError) for kind in kinds)
    assert not issubclass(PrunescopeError, ValueError)  # bad arguments are another kind
