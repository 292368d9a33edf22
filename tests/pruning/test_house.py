"""The plan of the house: who may use whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = [  # from the ground up; a room uses those below it
    {"errors", "registry", "files", "heap", "workers"}, {"environment"}, {"networks", "datasets"}, {"download", "structure", "cost", "steps"}, {"inference"},
    {"units", "refit", "evaluation", "effective", "latency", "storage"}, {"removal"}, {"criteria", "checkpoints", "masks"}, {"training", "ranking"}, {"rules"}, {"recipe"},
    {"store"}, {"experiment"}, {"connected"}, {"sweep"}, {"curves", "regression", "explain", "agreement", "ledger"}, {"export", "compare"}, {"bundle", "sensitivity", "published"}, {"jobs"}, {"figures"}, {"cli"}, {"__main__"},
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


BACKEND = sorted((ROOT / "pruning").rglob("*.py"))


@pytest.mark.parametrize("path", BACKEND, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_backend_never_imports_streamlit_or_the_pages(path):
    assert not {name for name in imports(path) if name.split(".")[0] in ("streamlit", "pages", "app")}


@pytest.mark.parametrize("path", BACKEND, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_uses_only_rooms_below_it(path):
    room = path.relative_to(ROOT / "pruning").parts[0].removesuffix(".py")
    if room == "__init__":
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("pruning.")}
    assert {other for other in used - {room} if FLOOR[other] > FLOOR[room]} == set()
