"""Methods, criteria, rules, scopes and steps on the Explore page, on built-in data."""

import json
import time

import pytest

from pruning.engine import prune as experiment
from pruning.methods.rules import RULES, scopes_for
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe, Step, criteria_for, rules_for
from tests.pages.common import charts, numbers, opened, settled, shown

LENET = {"network": "lenet5", "dataset": "digits", "calibration": "64"}
LATER = [{"method": "filter", "criterion": "taylor", "scope": "layer", "value": 0.3}]


@pytest.fixture(autouse=True)
def no_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))


def box(at, key):
    return at.sidebar.selectbox(key=key)


def scope(at):
    return at.sidebar.segmented_control[0]


def recipe_of(at) -> Recipe:
    return Recipe.from_query(dict(at.query_params), Recipe("lenet5", "digits"))


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
@pytest.mark.parametrize("method", METHODS)
def test_every_criterion_of_every_method_is_one_choice_away(network, method):
    at = opened(network=network, dataset="digits", method=method, calibration="16", sparsity="0.3")
    criteria = criteria_for(network, method)
    assert len(box(at, "criterion").options) == len(criteria)
    for criterion in criteria:
        if network == "resnet20" and criterion == "loss_change" and method != "layer":
            continue  # a minute
        settled(box(at, "criterion").set_value(criterion).run())
        recipe = recipe_of(at)
        assert recipe.criterion == criterion and recipe.method == method
        assert numbers(at) == shown(experiment.run(recipe))
        assert len(box(at, "rule").options) == len(rules_for(method, criterion))
        assert all(chart.proto.alt for chart in at.get("plotly_chart"))


@pytest.mark.parametrize(
    "method, criterion",
    [
        ("filter", "magnitude"),
        ("neuron", "loss_change"),
        ("weight", "magnitude"),
        ("feature", "class_entropy"),
        ("layer", "taylor"),
    ],
)
def test_every_rule_and_scope_can_be_chosen_and_the_share_stays(method, criterion):
    at = opened(**LENET, method=method, criterion=criterion, sparsity="0.4")
    for rule in rules_for(method, criterion):
        settled(box(at, "rule").set_value(rule).run())
        assert not at.exception and not at.sidebar.error
        for name in scopes_for(rule, method):
            if len(scopes_for(rule, method)) > 1:
                scope(at).set_value(name).run()
            recipe = recipe_of(at)
            assert (
                recipe.rule == rule
                and recipe.scope == name
                and numbers(at) == shown(experiment.run(recipe))
            ), (rule, name)
        if (
            not RULES[rule].patterns
            and rule not in ("max_over_n", "relative")
            and method != "layer"
        ):
            assert experiment.run(recipe).share == pytest.approx(0.4, abs=0.12), rule


def test_rules_that_make_no_sense_are_not_offered():
    at = opened(**LENET, method="filter")
    assert "N:M" not in box(at, "rule").options and scope(at).options == [
        "global",
        "layer",
        "custom",
    ]
    box(at, "method").set_value("weight").run()
    assert "N:M" in box(at, "rule").options and "erk" in scope(at).options
    box(at, "rule").set_value("n_m").run()
    assert (
        at.sidebar.selectbox(key="pattern").value == "2:4"
        and not at.sidebar.slider
        and scope(at).disabled
    )
    at.sidebar.selectbox(key="pattern").set_value("1:4").run()
    assert numbers(at) == shown(experiment.run(Recipe("lenet5", "digits", rule="n_m", value="1:4")))


def test_the_number_to_prune_shows_both_numbers():
    at = opened(**LENET, method="filter", max_over_n="5")
    assert any("Asked to prune 5, removed 9" in caption.value for caption in at.main.caption)


def test_the_switch_for_additions_is_there_where_there_are_additions():
    at = opened(
        network="resnet20", dataset="digits", method="filter", sparsity="0.2", scope="layer"
    )
    inside = numbers(at)
    assert box(at, "grouping").options == [
        "only inside residual blocks",
        "also across the additions, tied channels as one unit",
    ]
    box(at, "grouping").set_value("across").run()
    assert numbers(at) != inside and dict(at.query_params)["grouping"] == "across"
    box(at, "network").set_value("lenet5").run()
    assert not at.exception and "Additions" not in [b.label for b in at.sidebar.selectbox]


def test_one_step_looks_as_simple_as_before_and_steps_can_be_added_reordered_and_removed():
    at = opened(**LENET, sparsity="0.5")
    button = lambda text: next(b for b in at.sidebar.button if text in b.label)  # noqa: E731
    assert [b.label for b in at.sidebar.button if "Download" not in b.label] == ["Add a step"]
    button("Add a step").click().run()
    assert numbers(at)["Sparsity"] == "75.00%"  # each step prunes what the one before has left
    settled(box(at, "method").set_value("filter").run())
    scope(at).set_value("layer").run()
    expected = Recipe("lenet5", "digits").with_steps((Step(), Step(method="filter", scope="layer")))
    assert recipe_of(at).steps == expected.steps and numbers(at) == shown(experiment.run(expected))
    at.sidebar.button(key="raise step 1").click().run()
    assert recipe_of(at).steps == expected.steps[::-1]
    assert box(at, "method").value == "filter"  # the moved step is still the chosen one
    at.sidebar.button(key="choose step 1").click().run()
    assert box(at, "method").value == "weight"
    at.sidebar.slider[0].set_value(80.0).run()
    assert [s.value for s in recipe_of(at).steps] == [0.5, 0.8]
    at.sidebar.button(key="remove step 0").click().run()
    assert recipe_of(at).steps == (Step(value=0.8),) and numbers(at) == shown(
        experiment.run(Recipe("lenet5", "digits", value=0.8))
    )


def test_a_link_carries_all_steps():
    steps = (
        Step(method="layer", criterion="loss_change", value=0.34),
        Step(method="filter", criterion="taylor", value=0.3),
        Step(rule="sigma", value=1.25),
    )
    recipe = Recipe("lenet5", "digits", calibration=64).with_steps(steps)
    at = opened(**recipe.to_query())
    assert (
        numbers(at) == shown(experiment.run(recipe)) and recipe_of(at) == recipe and not at.warning
    )
    assert [
        u
        for u in ("1 · Layers, 34%", "2 · Filters, 30%", "3 · Weights, 1.25")
        if u not in [b.label for b in at.sidebar.button]
    ] == []


def test_another_network_keeps_the_steps_it_can_have():
    at = opened(
        network="resnet20",
        dataset="digits",
        method="filter",
        criterion="bn_scale",
        layers="block1_0.conv1",
        earlier=json.dumps([{"method": "weight", "value": 0.2}]),
        sparsity="0.3",
    )
    box(at, "network").set_value("lenet300").run()
    assert not at.exception and not at.sidebar.error
    first, second = recipe_of(at).steps
    assert (
        first.value == 0.2
        and second.method == "filter"
        and second.criterion == "magnitude"
        and second.layers is None
    )


@pytest.mark.parametrize(
    "query, part",
    [
        ({"earlier": "["}, "the earlier steps of the link cannot be read"),
        ({"earlier": "{}"}, "the earlier steps must be a list"),
        ({"earlier": '[{"x": 1}]'}, "unknown step field 'x'"),
        ({"earlier": "[1]"}, "a step is an object"),
        ({"earlier": '[{"value": 1e999}]'}, "sparsity must be"),
        ({"scope": "custom", "values": "fc1"}, "must be a number"),
        ({"scope": "custom", "values": "fc1=nan"}, "sparsity must be"),
        ({"method": "filter", "criterion": "lamp"}, "does not score"),
        ({"n_m": "9:1"}, "n_m must be like 2:4"),
        ({"method": "filter", "n_m": "2:4"}, "does not go with filters"),
        ({"calibration": "99999999"}, "calibration must be"),
        ({"measure": "x", "method": "filter"}, "unknown measure 'x'"),
        ({"grouping": "across"}, "there is no grouping to choose here"),
        ({"max_over_n": "0"}, "max_over_n must be"),
    ],
)
def test_a_bad_link_is_explained_and_the_page_opens(query, part):
    at = opened(network="lenet5", dataset="digits", **query)
    assert part in at.warning[0].value.replace("\\", "") and numbers(at)["Sparsity"] == "50.00%"


def test_values_of_single_layers():
    at = opened(**LENET, sparsity="0.6")
    scope(at).set_value("custom").run()
    before = experiment.run(Recipe("lenet5", "digits", value=0.6))
    assert recipe_of(at).scope == "custom" and abs(float(numbers(at)["Sparsity"][:-1]) - 60) < 0.05
    assert not at.sidebar.slider  # the table begins with what each layer lost before
    for name, value in recipe_of(at).values:
        row = before.layers.set_index("name").loc[name]
        assert value == pytest.approx(row["sparsity"], abs=1e-4)
    at = opened(**LENET, scope="custom", values="conv1=0.1,fc1=0.9", sparsity="0.5")
    recipe = Recipe(
        "lenet5", "digits", scope="custom", value=0.5, values=(("conv1", 0.1), ("fc1", 0.9))
    )
    assert numbers(at) == shown(experiment.run(recipe))


def test_scoring_can_be_cancelled_and_taken_up_again(monkeypatch):
    plain = experiment.ranking

    def slow(recipe, report=lambda share: None):
        while recipe.seed == 7 and recipe.criterion == "taylor":
            time.sleep(0.01)
            report(0.25)
        return plain(recipe, report)

    monkeypatch.setattr(experiment, "ranking", slow)
    at = opened(network="lenet300", dataset="digits", method="filter", seed="7", calibration="77")
    before = numbers(at)
    box(at, "criterion").set_value("taylor").run()
    assert not at.exception and any(
        "Scoring 400 filters by **Taylor** on 77" in m.value for m in at.main.markdown
    )
    at.main.button(key="cancel scoring").click().run()
    assert not at.exception and [b.label for b in at.main.button] == ["Score them"]
    box(at, "criterion").set_value("magnitude").run()
    assert numbers(at) == before
    monkeypatch.undo()
    box(at, "criterion").set_value("taylor").run()
    next(b for b in at.main.button if b.label == "Score them").click().run()
    settled(at)
    assert numbers(at)["Sparsity"] != "" and at.sidebar.slider


def test_scores_that_fail_are_a_message_and_not_a_crash(monkeypatch):
    def broken(recipe, report=None):
        raise RuntimeError("no memory")

    from dataclasses import replace

    from pruning.methods.criteria import CRITERIA

    monkeypatch.setitem(CRITERIA._entries, "apoz", replace(CRITERIA["apoz"], function=broken))
    at = opened(**LENET, method="filter")
    box(at, "criterion").set_value("apoz").run()
    deadline = time.time() + 20
    while not at.warning:
        assert time.time() < deadline
        at.run()
    assert not at.exception and "could not be scored: no memory" in at.warning[0].value.replace(
        "\\", ""
    )
    box(at, "criterion").set_value("magnitude").run()
    assert numbers(at)["Sparsity"]


def test_why_this_one():
    at = opened(**LENET, method="filter", scope="layer", sparsity="0.5")
    at.main.toggle(key="why").set_value(True).run()
    at.main.selectbox(key="why group").set_value("conv2").run()
    at.main.number_input(key="why unit").set_value(3).run()
    from pruning.experiments.unit_explanation import explain

    why = explain(recipe_of(at), "conv2", 3)
    shown_now = numbers(at)
    assert shown_now["Score"] == f"{why.score:.4g}" and shown_now["Rank"] == f"{why.rank} of 16"
    assert (
        shown_now["Percentile"] == f"{why.percentile:.1f}%"
        and shown_now["Threshold"] == f"{why.threshold:.4g}"
    )
    assert any(("**Removed**" if why.removed else "**Kept**") in m.value for m in at.main.markdown)
    assert len(charts(at)) == 6
    for method, keys in (("weight", 3), ("layer", 2), ("feature", 3), ("neuron", 2)):
        settled(box(at, "method").set_value(method).run())
        assert "Score" in numbers(at)


def test_features_are_drawn_over_an_image():
    at = opened(**LENET, method="feature", criterion="class_entropy", sparsity="0.5")
    assert at.main.selectbox(key="mask").value == "input" and numbers(at)["Sparsity"] == "0.00%"
    alts = [chart.proto.alt for chart in at.get("plotly_chart")]
    assert any("under the mask of its pixels: 50.0% removed" in alt for alt in alts)
    curve = charts(at)[-1]
    assert curve["layout"]["xaxis"]["title"]["text"] == "share of input pixels removed"
    assert curve["data"][-1]["x"] == [0.5]


def test_a_step_with_nothing_left_is_said():
    for network in ("lenet5", "resnet20"):
        at = opened(
            network=network,
            dataset="digits",
            method="layer",
            earlier='[{"method":"layer","value":1.0}]',
        )
        assert "Sparsity" in numbers(at) and any(
            "left nothing" in caption.value for caption in at.sidebar.caption
        )


def test_scores_that_are_no_longer_wanted_are_not_computed_on(monkeypatch):
    plain = experiment.ranking
    running = []

    def slow(recipe, report=lambda share: None):
        while recipe.seed == 8 and recipe.criterion == "taylor":
            running.append(time.monotonic())
            time.sleep(0.01)
            report(0.25)
        return plain(recipe, report)

    monkeypatch.setattr(experiment, "ranking", slow)
    at = opened(network="lenet300", dataset="digits", method="filter", seed="8", calibration="78")
    box(at, "criterion").set_value("taylor").run()
    box(at, "criterion").set_value("magnitude").run()
    assert numbers(at)
    time.sleep(0.3)
    last = running[-1]
    time.sleep(0.3)
    assert running[-1] == last


def test_the_slider_follows_when_scores_have_another_scale():
    at = opened(**LENET, criterion="fisher", sparsity="0.5")
    settled(box(at, "rule").set_value("relative").run())
    settled(box(at, "criterion").set_value("magnitude").run())
    assert experiment.run(recipe_of(at)).share == pytest.approx(0.5, abs=0.05)
    settled(box(at, "rule").set_value("threshold").run())
    settled(box(at, "criterion").set_value("lamp").run())
    assert experiment.run(recipe_of(at)).share == pytest.approx(0.5, abs=0.05) and numbers(at)


def test_a_pattern_of_the_link_that_is_not_offered_stays():
    at = opened(**LENET, n_m="5:7")
    assert recipe_of(at).value == "5:7" and numbers(at) == shown(
        experiment.run(Recipe("lenet5", "digits", rule="n_m", value="5:7"))
    )


def test_the_table_begins_anew_with_what_the_layers_lost_meanwhile():
    at = opened(**LENET, sparsity="0.5")
    scope(at).set_value("custom").run()
    scope(at).set_value("layer").run()
    at.sidebar.slider[0].set_value(90.0).run()
    scope(at).set_value("custom").run()
    recipe = recipe_of(at)
    assert recipe.value == 0.9 and all(
        value == pytest.approx(0.9, abs=0.01) for _, value in recipe.values
    )
