"""Public functions, classes and methods have docstrings that numpydoc's validator reads."""

import dataclasses
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import validate

import pruning
from pruning.runtime.registry import Registry

CHECKS = {
    "GL01": None,  # text starts on the first line here
    "GL06": "unknown section",
    "GL07": "sections in the wrong order",
    "GL08": "no docstring",
    "PR01": "parameters that are not documented",
    "PR02": "unknown parameters",
    "PR03": "parameters in the wrong order",
    "PR10": "no space before the colon",
    "RT01": "no Returns section",
    "SS03": "summary without a full stop",
    "YD01": "no Yields section",
}
ENFORCED = {code for code, meaning in CHECKS.items() if meaning}
PARAMETER_CHECKS = {"PR01", "PR02", "PR03"}


def modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(pruning.__path__, "pruning.")]
    return [name for name in names if not name.endswith("__main__")]


def public_objects(module_name: str) -> Iterator[str]:
    """Qualified names of what a module defines itself."""
    module = importlib.import_module(module_name)
    for name, member in vars(module).items():
        defined_here = getattr(member, "__module__", None) == module_name
        if name.startswith("_") or not defined_here:
            continue
        if inspect.isfunction(member):
            yield f"{module_name}.{name}"
        elif inspect.isclass(member):
            yield f"{module_name}.{name}"
            yield from public_methods(f"{module_name}.{name}", member)


def public_methods(qualified_name: str, cls: type) -> Iterator[str]:
    for name, member in vars(cls).items():
        is_callable = inspect.isfunction(member) or isinstance(member, classmethod | staticmethod)
        if not name.startswith("_") and is_callable:
            yield f"{qualified_name}.{name}"


def object_of(qualified_name: str) -> Any:
    """The function, class or method of a name."""
    module_name = qualified_name
    while module_name not in sys.modules:
        module_name = module_name.rpartition(".")[0]
    return attrgetter(qualified_name.removeprefix(f"{module_name}."))(sys.modules[module_name])


def exempt_checks(name: str) -> set[str]:
    """Checks that do not apply to an object."""
    subject = object_of(name)
    if overrides_a_library(name):
        return ENFORCED - {"GL08"}
    if is_registered(subject):
        # The entry has a help text, and its class, such as `Criterion`, documents the signature.
        return {"GL08", "PR01", "RT01"}
    if has_documented_fields(subject) or inherits_its_parameters(subject):
        return PARAMETER_CHECKS
    return set()


def is_registered(subject: Any) -> bool:
    return any(function is subject for function in registered_functions())


def registered_functions() -> Iterator[Any]:
    """Functions of all registries of the modules that are loaded."""
    for name, module in list(sys.modules.items()):
        if not name.startswith("pruning."):
            continue
        for registry in vars(module).values():
            if isinstance(registry, Registry):
                for entry in registry.values():
                    yield getattr(entry, "function", None)


def has_documented_fields(subject: Any) -> bool:
    """Whether a dataclass has all its fields in the section Attributes."""
    if not dataclasses.is_dataclass(subject):
        return False
    documented = set()
    for attribute in get_doc_object(subject)["Attributes"]:
        documented.update(attribute.name.split(", "))
    fields = {field.name for field in dataclasses.fields(subject)}
    return fields <= documented


def inherits_its_parameters(subject: Any) -> bool:
    """Whether a class is made like its base class of another library."""
    if not inspect.isclass(subject) or dataclasses.is_dataclass(subject):
        return False
    return "__init__" not in vars(subject) and subject.__init__ is not object.__init__


def overrides_a_library(name: str) -> bool:
    """Whether a method is documented by a base class of another library."""
    class_name, _, method = name.rpartition(".")
    if class_name in sys.modules:  # a function or a class of a module
        return False
    owner = object_of(class_name)
    libraries = [base for base in owner.__mro__[1:] if not base.__module__.startswith("pruning")]
    return any(method in vars(base) for base in libraries)


def problems(name: str) -> list[str]:
    found = []
    enforced = ENFORCED - exempt_checks(name)
    for code, message in validate(name)["errors"]:
        if code in enforced:
            found.append(f"{name}: {code} {message}")
    return found


@pytest.mark.parametrize("module_name", modules())
def test_numpydoc_reads_the_docstrings(module_name):
    found = []
    for name in public_objects(module_name):
        found += problems(name)
    assert not found, "\n".join(found)
