"""The Agreement page, on built-in data."""

import pytest

from pruning.experiments.agreement import agreement
from pruning.methods.criteria import CRITERIA
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts, opened


@pytest.fixture(autouse=True)
def no_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))


def agreeing(**query):
    at = opened(network="lenet5", dataset="digits", calibration="64", **query)
    at.switch_page("pages/agreement/page.py").run()
    for _ in range(100):
        at.run()
        if at.exception or len(charts(at)) == 2:
            break
    assert not at.exception
    return at


def test_two_matrices_of_all_quick_criteria():
    at = agreeing(method="filter", scope="layer", sparsity="0.5")
    criteria = at.main.multiselect[0].value
    assert "loss_change" not in criteria and len(criteria) == 9
    found = agreement(
        Recipe("lenet5", "digits", method="filter", scope="layer", calibration=64), criteria, 0.5
    )
    jaccard, correlation = charts(at)
    assert [row[1] for row in jaccard["data"][0]["text"]] == [
        f"{v:.2f}" for v in found.jaccard.iloc[:, 1]
    ]
    assert correlation["data"][0]["text"][0][2] == f"{found.correlation.iloc[0, 2]:.2f}"
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))


def test_one_criterion_alone_has_nothing_to_agree_with():
    at = agreeing(method="weight", sparsity="0.5")
    at.main.multiselect[0].set_value(["magnitude"]).run()
    assert not at.exception and "two criteria or more" in at.info[0].value
    at.main.multiselect[0].set_value(["magnitude", "lamp"]).run()
    assert len(charts(at)) == 2
    at.sidebar.selectbox(key="method").set_value("feature").run()
    assert not at.exception and set(at.main.multiselect[0].value) == {"random", "class_entropy"}


def test_about_has_every_formula_and_the_table():
    at = opened(network="lenet5", dataset="digits", sparsity="0.5")
    at.switch_page("pages/glossary/page.py").run()

    text = "\n".join(markdown.value for markdown in at.main.markdown)
    assert not at.exception and all(
        c.formula in text and c.source in text for c in CRITERIA.values()
    )
    wide = at.dataframe[0].value
    assert (
        list(wide.columns[-3:]) == ["50% removed", "80% removed", "90% removed"] and len(wide) > 100
    )
