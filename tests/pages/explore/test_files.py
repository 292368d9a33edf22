"""Files of the network, as Explore offers them."""

import pytest

from pages.explore import files
from pruning.engine.network_file import FILE_KINDS, NetworkFile
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import PrunescopeError
from tests.pages.common import opened, recipe_of, run_until
from tests.pages.driver import click, warning

pytestmark = pytest.mark.usefixtures("no_downloads", "new_jobs")
CHECK = {
    "largest_difference": 2e-6,
    "agreeing": 359,
    "images": 360,
    "onnx_seconds": 0.0001,
    "torch_seconds": 0.002,
}


@pytest.fixture
def asked(monkeypatch) -> list[tuple[Recipe, str, bool]]:
    """What the page has asked for; a file is made at once."""
    made = []

    def make(recipe, kind, *, remove, check):
        check()
        made.append((recipe, kind, remove))
        return NetworkFile(b"content", {"onnx": CHECK} if kind == "ONNX" else {})

    monkeypatch.setattr(files, "make_file", make)
    return made


def downloads(at) -> list[str]:
    return [button.proto.label for button in at.get("download_button")]


def with_file(at, kind: str):
    at = at.main.button_group(key="file_kind").set_value(kind).run()
    at = click(at, "Make the file")
    return run_until(at, lambda: any(kind in label for label in downloads(at)))


@pytest.mark.parametrize("kind", FILE_KINDS)
def test_every_kind_is_made_of_the_recipe_that_is_shown(asked, kind):
    at = opened(network="lenet300", dataset="digits", sparsity="0.6")
    at = with_file(at, kind)
    assert asked == [(recipe_of(at), kind, True)]
    captions = [caption.value for caption in at.main.caption]
    assert any("359 predictions agree" in text for text in captions) == (kind == "ONNX")


def test_another_recipe_needs_another_file(asked):
    at = with_file(opened(network="lenet300", dataset="digits", sparsity="0.6"), "Report")
    at.sidebar.slider[0].set_value(70.0).run()
    assert not any("Report" in label for label in downloads(at))


def test_a_failure_is_said(monkeypatch):
    def fail(*arguments, **options):
        raise PrunescopeError("the disk is full")

    monkeypatch.setattr(files, "make_file", fail)
    at = opened(network="lenet300", dataset="digits", sparsity="0.6")
    at = click(at, "Make the file")
    run_until(at, lambda: at.warning)
    assert "The file could not be made: the disk is full" in warning(at)


def test_without_the_extra_the_page_says_what_to_install(monkeypatch):
    def missing():
        raise PrunescopeError("ONNX files need onnx: run `pip install prunescope[onnx]`")

    monkeypatch.setattr(files, "check_onnx_installed", missing)
    at = opened(network="lenet300", dataset="digits", sparsity="0.6")
    assert any("pip install" in info.value for info in at.main.info)
