"""The application driven without a browser."""

import json
import time

from streamlit.testing.v1 import AppTest

from pruning.engine.evaluate import evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import prune
from pruning.engine.pruned_network import PrunedNetwork
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_query

WAIT_S = 60
SCORING_TEXT = "This is done once"
CANCEL_ACCURACY = "cancel accuracy"
"""Key of the button beside the progress of a measurement."""


def opened(**query: str) -> AppTest:
    """Open a page by a link, and wait for its scores."""
    at = AppTest.from_file("../../app.py", default_timeout=60)
    at.query_params.update(query)
    return settled(at.run())


def settled(at: AppTest) -> AppTest:
    """Wait for scores that are computed off the page, and on Explore for its first numbers.

    A page does not wait for a measurement that is in the queue, behind work of earlier tests.
    """
    return run_until(at, lambda: at.exception or not (_is_scoring(at) or _is_in_the_queue(at)))


def _is_scoring(at: AppTest) -> bool:
    return any(SCORING_TEXT in text.value for text in at.main.markdown)


def _is_in_the_queue(at: AppTest) -> bool:
    return not at.metric and any(button.key == CANCEL_ACCURACY for button in at.main.button)


def run_until(at: AppTest, condition) -> AppTest:
    """Run the page until a condition holds."""
    deadline = time.time() + WAIT_S
    while not condition():
        assert time.time() < deadline
        time.sleep(0.1)
        at.run()
    return at


def button(at, label: str):
    return next(button for button in at.main.button if button.label == label)


def work_buttons(at: AppTest) -> list[str]:
    """Labels of the buttons in the page, without those of its heading and of its files."""
    others = ("Pin", "Guided tour", "Present", "Share", "Make the file")
    return [button.label for button in at.main.button if button.label not in others]


def numbers(at: AppTest) -> dict[str, str]:
    """Return the metrics of the page, by label."""
    assert not at.exception
    return {metric.label: metric.value for metric in at.metric}


def charts(at: AppTest) -> list[dict]:
    """Return the Plotly figures of the page."""
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def live_histogram_of(at: AppTest) -> dict:
    """Return the data of the live histogram of the page."""
    [component] = at.get("bidi_component")
    return json.loads(component.proto.json)


def trace(at: AppTest, name: str) -> dict:
    """Return a trace of the last chart, by name."""
    for candidate in charts(at)[-1]["data"]:
        if candidate["name"] == name:
            return candidate
    raise AssertionError(f"no trace {name}")


def plain(element) -> str:
    """Return the text of an element without the escapes of Markdown."""
    return element.value.replace("\\", "")


def recipe_of(at: AppTest) -> Recipe:
    """Return the recipe of the link."""
    return recipe_from_query(dict(at.query_params), Recipe("lenet5", "digits"))


def evaluated(recipe: Recipe) -> Evaluation:
    """Evaluate one recipe."""
    return evaluate([recipe])[0]


def shown(recipe: Recipe) -> dict[str, str]:
    """Return the metrics that Explore shows of a recipe."""
    pruned, evaluation = prune(recipe), evaluated(recipe)
    return {
        "Test accuracy": f"{evaluation.accuracy.value:.2%}",
        "Sparsity": f"{pruned.sparsity:.2%}",
        "Parameters left (masked)": f"{pruned.masked.parameters:,}",
        "MACs left (masked)": _millions(pruned.masked.macs),
    }


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count:,}"


def removed_share(recipe: Recipe) -> float:
    """Return the share of the units that a recipe removes."""
    pruned: PrunedNetwork = prune(recipe)
    return pruned.removed_share
