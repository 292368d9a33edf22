"""`import pruning`: no side effects, and the public names when they are accessed."""

import os
import subprocess
import sys

import pytest

import pruning


def run(program: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120)


def test_the_import_has_no_side_effects():
    run(
        "import os, sys\n"
        "real = os.umask\n"
        "real(0o027)\n"
        "def refuse(*arguments): raise AssertionError('umask')\n"
        "os.umask = refuse\n"
        "before, modules = dict(os.environ), set(sys.modules)\n"
        "import pruning\n"
        "assert dict(os.environ) == before\n"
        "assert real(0) == 0o027\n"
        "added = {name for name in set(sys.modules) - modules if 'pruning' in name}\n"
        "assert added == {'pruning'}, added\n"
        "assert 'torch' not in sys.modules\n"
    )


@pytest.mark.slow
def test_a_public_name_is_imported_when_it_is_accessed():
    run(
        "import sys, pruning\n"
        "assert 'Recipe' in dir(pruning) and 'torch' not in sys.modules\n"
        "from pruning import Recipe\n"
        "assert 'torch' in sys.modules\n"
        "assert Recipe is pruning.Recipe is sys.modules['pruning.recipe.recipe'].Recipe\n"
    )


@pytest.mark.parametrize("name", pruning.__all__)
def test_every_public_name_exists_and_registries_are_filled(name):
    value = getattr(pruning, name)
    assert value is not None
    if name.isupper():
        assert len(value) > 0


def test_public_names_are_listed_and_others_are_attribute_errors():
    assert set(pruning.__all__) <= set(dir(pruning))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pruning.nothing  # noqa: B018
