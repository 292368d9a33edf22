from pages.explore.export import page_of_figures
from pruning.engine.evaluate import evaluate
from pruning.recipe.recipe import Recipe
from tests.pages.common import opened

RECIPE = Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=0.5)


def test_the_figures_are_one_page():
    content = page_of_figures(RECIPE, "conv2", False, evaluate([RECIPE]))
    for heading in (
        "Distribution of all weights",
        "Share removed of each unit",
        "Mask of conv2",
        "Accuracy against sparsity",
    ):
        assert f"<h2>{heading}</h2>" in content
    assert "<title>LeNet-5 on" in content


def test_a_page_without_mask_and_curve():
    content = page_of_figures(RECIPE, None, True, [])
    assert content.count("<h2>") == 2


def test_the_page_offers_it():
    at = opened(network="lenet5", dataset="digits")
    labels = [button.proto.label for button in at.get("download_button")]
    assert "Figures as HTML" in labels
