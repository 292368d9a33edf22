"""A pytest plugin that registers the criterion of README's section "Adding a criterion".

Used as ``python -m pytest -p tests.pruning.recipe.readme_criterion ...``.
"""

import re
from pathlib import Path

README = Path(__file__).parents[3] / "README.md"
EXAMPLE = re.compile(r"^## Adding a criterion\n.*?^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def pytest_configure() -> None:
    """Run the example in a module of criteria, where the README says that it belongs."""
    from pruning.methods.criteria import weights

    example = EXAMPLE.search(README.read_text())
    assert example is not None, "README has no example of a criterion"
    exec(compile(example[1], "<README>", "exec"), vars(weights))
