"""Many curves: points, seeds, areas."""

from dataclasses import replace

import numpy as np
import pytest

from pruning.cost.macs import cost
from pruning.engine import prune as experiment
from pruning.experiments import curves as bundle
from pruning.experiments import literature as published
from pruning.experiments.curves import RATIOS, Bundle
from pruning.figures import curves as figures
from pruning.models.checkpoints import shipped
from pruning.recipe.recipe import Recipe

TWO = (Recipe("lenet300", "digits"), Recipe("lenet300", "digits", criterion="random"))


def test_points_and_seeds():
    found = bundle.measure(Bundle(TWO, points=4, seeds=3))
    assert [len(line.runs) for line in found] == [1, 3]
    assert [p.recipe.value for p in found[0].runs[0]] == [0.0, 0.25, 0.5, 0.75]
    assert {p.recipe.seed for run in found[1].runs for p in run} >= {0, 1, 2}
    accuracies = [[p.accuracy.value for p in run] for run in found[1].runs]
    mean, spread = found[1].values(lambda p: p.accuracy.value)
    np.testing.assert_allclose(mean, np.mean(accuracies, 0))
    np.testing.assert_allclose(spread, np.std(accuracies, 0))
    assert (
        spread[2] > 0 and accuracies[1][2] == experiment.run(replace(TWO[1], seed=1)).accuracy.value
    )


def test_the_area_by_trapezoids():
    (line,) = bundle.measure(Bundle(TWO[:1], points=5))
    x, y = [p.sparsity for p in line.runs[0]], [p.accuracy.value for p in line.runs[0]]
    assert line.area == pytest.approx(
        sum((y[i] + y[i + 1]) / 2 * (x[i + 1] - x[i]) for i in range(4)) / (x[-1] - x[0])
    )
    (pixels,) = bundle.measure(
        Bundle((replace(TWO[0], method="feature", criterion="random"),), points=3, seeds=1)
    )
    assert 0 < pixels.area < 1 and [figures.removed(p) for p in pixels.runs[0]] == [
        p.share for p in pixels.runs[0]
    ]
    assert np.isnan(replace(line, runs=((line.runs[0][0],),)).area)


def test_compression_ratios_are_met():
    (line,) = bundle.measure(Bundle((Recipe("lenet5-caffe", "digits"),), points=0))
    assert [p.compression for p in line.runs[0]] == pytest.approx(list(RATIOS), rel=0.02)


def test_points_appear_as_they_are_computed(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "results.sqlite"))
    from pruning.engine import evaluate as sweep

    monkeypatch.setattr(sweep, "EVERY", 0.0)
    told = []
    found = bundle.measure(
        Bundle(TWO, points=3, seeds=2), lambda lines, share: told.append((lines, share))
    )
    counts = [
        sum(p is not None for line in lines for run in line.runs for p in run)
        for lines, _ in told
        if lines
    ]
    assert counts[0] < counts[-1] == 9 == sum(
        len(run) for line in found for run in line.runs
    ) and counts == sorted(counts)


@pytest.mark.parametrize(
    "more, message",
    [
        ({"recipes": ()}, "1 to 12 recipes"),
        ({"points": 1}, "points must be"),
        ({"seeds": 0}, "seeds must be"),
        ({"recipes": (TWO[0], Recipe("lenet5", "digits"))}, "one network"),
        ({"recipes": (replace(TWO[0], scope="custom"),)}, "choose another scope"),
    ],
)
def test_bundles_that_are_none(more, message):
    with pytest.raises(ValueError, match=message):
        Bundle(**{"recipes": TWO, **more})


def test_the_table_and_the_file_tell_all():
    asked = Bundle(TWO, points=3, seeds=2)
    found = bundle.measure(asked)
    table, told = bundle.table(found), bundle.to_dict(asked, found)
    assert len(table) == 9 and {
        "sparsity",
        "effective_parameters",
        "accuracy",
        "loss",
        "images",
    } <= set(table.columns)
    assert [len(curve["runs"]) for curve in told["curves"]] == [1, 2] and told["curves"][0][
        "area"
    ] == found[0].area
    assert Recipe.from_dict(told["curves"][1]["runs"][1][2]["recipe"]).seed == 1


@pytest.mark.parametrize("x", figures.X)
@pytest.mark.parametrize("y", figures.Y)
def test_the_picture(x, y):
    found, names = bundle.measure(Bundle(TWO, points=3, seeds=2)), ["magnitude", "random"]
    figure = figures.bundle(found, names, x=x, y=y)
    band, first, second = figure.data
    assert band.fill == "toself" and len(band.x) == 6 and [first.name, second.name] == names
    expected, _ = found[0].values(figures.Y[y][1])
    assert sorted(first.y) == pytest.approx(sorted(expected)) and list(first.x) == sorted(first.x)
    line, place = first.customdata[1]
    assert found[line].points[place][0].recipe.value == found[0].runs[0][place].recipe.value
    assert (
        figure.layout.xaxis.title.text
        and figure.layout.yaxis.title.text
        and (figure.layout.xaxis.type == "log") == (x == "compression")
    )
    assert "magnitude" in figures.alt(found, names, x=x, y=y)


def test_published_points_are_of_networks_that_are_here_and_say_what_differs():
    assert {(one.network, one.dataset) for one in published.PUBLISHED} <= set(shipped())
    for one in published.PUBLISHED:
        assert (
            (one.compression is None) != (one.macs is None)
            and one.source
            and "retrain" in one.remark
        )
    assert cost("resnet20", "cifar10").macs == 40_813_184
    stars = figures.bundle(
        [], [], x="compression", y="accuracy", published=published.of("lenet300", "mnist")
    ).data
    assert (
        list(stars[0].x) == [12.0]
        and list(stars[0].y) == [0.9841]
        and "Han et al. 2015" in stars[0].text[0]
    )
