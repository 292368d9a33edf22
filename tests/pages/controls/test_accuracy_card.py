from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from pruning.engine.evaluate import evaluate_with_dense
from pruning.engine.evaluation import Evaluation
from pruning.recipe.recipe import Recipe


def script(evaluation) -> None:
    from pages.controls.accuracy_card import draw_accuracy_card

    draw_accuracy_card(evaluation)


def card(lost: int, gained: int) -> tuple[str, str, str]:
    """Delta, colour and caption of the card after so many images were lost and gained."""
    evaluation = evaluated()
    before = evaluation.tally.hits
    assert before is not None
    images = evaluation.tally.images
    right = [i for i in range(images) if before >> i & 1][:lost]
    wrong = [i for i in range(images) if not before >> i & 1][:gained]
    hits = before ^ sum(1 << i for i in [*right, *wrong])
    changed = replace(evaluation, tally=replace(evaluation.tally, hits=hits))
    at = AppTest.from_function(script, args=[changed]).run()
    assert not at.exception
    [metric] = at.metric
    [caption] = at.caption
    return metric.delta, metric.color, caption.value


def evaluated() -> Evaluation:
    return evaluate_with_dense(Recipe.one_step("lenet5", "digits", value=0.0))


def test_one_image_is_no_evidence_and_has_no_colour():
    delta, colour, caption = card(1, 0)
    assert delta == "1 image fewer than dense"
    assert caption == "no evidence of a difference, p = 1"
    assert colour == card(0, 0)[1]


def test_many_images_are_evidence_and_have_a_colour():
    delta, colour, caption = card(20, 1)
    images = evaluated().tally.images
    assert delta == f"{-1900 / images:+.2f} points against dense"
    assert caption.startswith("19 images fewer, p < 0.001")
    assert colour != card(0, 0)[1]


@pytest.mark.parametrize(
    "lost, gained, delta, caption",
    [
        (0, 0, "as many images as dense", "the same images"),
        (1, 1, "as many images as dense", "no evidence of a difference, p = 1"),
        (3, 0, "3 images fewer than dense", "no evidence of a difference, p = 0.25"),
        (0, 1, "1 image more than dense", "no evidence of a difference, p = 1"),
    ],
)
def test_a_difference_is_counted_in_images(lost, gained, delta, caption):
    assert card(lost, gained)[::2] == (delta, caption)


def test_counts_alone_are_not_compared():
    evaluation = replace(evaluated(), dense_tally=None)
    at = AppTest.from_function(script, args=[evaluation]).run()
    assert at.metric[0].delta == f"dense: {evaluation.dense_accuracy:.2%}"
