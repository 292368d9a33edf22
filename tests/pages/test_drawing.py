"""Drawing a widget never starts work or waits: the pages do, and pass on the results."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "pages"
WORK = {"start", "wait_for", "subscribe", "request_scores"}
"""Functions that start work or wait for it."""
CALLBACKS = {"on_click", "on_change", "on_select"}
"""Arguments that take a function, which a later run of the page calls."""
STARTING_FUNCTIONS = """
def helper():
    start(task)

def begin():
    start(task)
"""


@dataclass(frozen=True)
class Module:
    """The functions of a module of pages, and the names that it imports from other modules."""

    functions: dict[str, ast.FunctionDef]
    imported: dict[str, str]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PAGES.parent).with_suffix("").parts)


def parse(source: str) -> Module:
    tree = ast.parse(source)
    functions, imported = {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            functions[node.name] = node
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return Module(functions, imported)


MODULES = {module_name(path): parse(path.read_text()) for path in PAGES.rglob("*.py")}


def callbacks(function: ast.FunctionDef) -> set[str]:
    """Names of the functions that a function passes to widgets."""
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.keyword) and node.arg in CALLBACKS:
            names.update(part.id for part in ast.walk(node.value) if isinstance(part, ast.Name))
    return names


def calls(function: ast.AST, skipped: set[str]) -> Iterator[str]:
    """What a function calls, also in the functions inside it, apart from callbacks."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.FunctionDef) and node.name in skipped:
            continue
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        yield from calls(node, skipped)


def find_work(
    modules: dict[str, Module], module: str, name: str, seen: frozenset[str] = frozenset()
) -> str | None:
    """Return how a function starts work or waits, over the functions of pages that it calls."""
    function = modules[module].functions[name]
    for called in calls(function, callbacks(function)):
        parent, _, last = called.rpartition(".")
        if last in WORK:
            return f"{name} calls {called}"
        target = resolve(modules, module, parent, last)
        if target is None or target in seen:
            continue
        found = find_work(modules, *target.rsplit(".", 1), seen | {target})
        if found:
            return f"{name} calls {called}, {found}"
    return None


def resolve(modules: dict[str, Module], module: str, parent: str, name: str) -> str | None:
    """Return the full name of a function of pages; None for any other function."""
    here = modules[module]
    if parent:
        owner = here.imported.get(parent, "")
    elif name in here.functions:
        owner = module
    else:
        owner = here.imported.get(name, "").rpartition(".")[0]
    is_known = owner in modules and name in modules[owner].functions
    return f"{owner}.{name}" if is_known else None


def drawing_functions() -> list[tuple[str, str]]:
    found = []
    for module, content in MODULES.items():
        for name in content.functions:
            if name.startswith(("draw", "_draw")):
                found.append((module, name))
    return found


@pytest.mark.parametrize("module, name", drawing_functions())
def test_drawing_neither_starts_work_nor_waits(module, name):
    assert find_work(MODULES, module, name) is None


def test_every_page_draws():
    pages = {module.split(".")[1] for module, _ in drawing_functions()}
    assert {"explore", "compare", "curves", "sensitivity", "agreement", "controls"} <= pages


@pytest.mark.parametrize(
    "body, problem",
    [
        ("wait_for(task)", "draw calls wait_for"),
        ("jobs().subscribe(name, key, work)", "draw calls jobs().subscribe"),
        ("with st.sidebar:\n        helper()", "draw calls helper, helper calls start"),
        ("st.button('Begin', on_click=begin)", None),
        ("def click():\n        start(task)\n    st.button('Begin', on_click=click)", None),
        ("def inner():\n        start(task)\n    inner()", "draw calls start"),
    ],
)
def test_work_is_found_in_helpers_and_not_in_callbacks(body, problem):
    source = f"def draw():\n    {body}\n\n{STARTING_FUNCTIONS}"
    assert find_work({"page": parse(source)}, "page", "draw") == problem
