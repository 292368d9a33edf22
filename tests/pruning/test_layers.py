"""The layout of ARCHITECTURE.md: a room uses only the rooms below it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_module_lies_directly_in_pages():
    """Streamlit would serve it as a page of its own."""
    assert list((ROOT / "pages").glob("*/page.py"))
    assert not list((ROOT / "pages").glob("*.py"))


def test_import_contracts_hold():
    # In a process of its own: import-linter disables the loggers that exist.
    program = (
        "import sys; from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(config_filename='pyproject.toml', no_cache=True))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stdout
