"""Limits on the density of the code: few comprehensions, and hardly any inside another."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MAX_PER_1000_LINES = 40
MAX_NESTED = 1


def sources() -> list[Path]:
    paths = [*(ROOT / "pruning").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    assert paths
    return paths


def comprehensions_in(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, COMPREHENSIONS):
            yield node


def is_nested(comprehension: ast.AST) -> bool:
    """Whether it has two ``for`` or another comprehension inside."""
    inner = [node for node in comprehensions_in(comprehension) if node is not comprehension]
    return bool(inner) or len(comprehension.generators) > 1


def test_comprehensions_are_few_and_not_nested():
    count, lines, nested = 0, 0, []
    for path in sources():
        text = path.read_text()
        lines += len(text.splitlines())
        for comprehension in comprehensions_in(ast.parse(text)):
            count += 1
            if is_nested(comprehension):
                nested.append(f"{path.relative_to(ROOT)}:{comprehension.lineno}")
    assert 1000 * count / lines <= MAX_PER_1000_LINES
    assert len(nested) <= MAX_NESTED, nested
