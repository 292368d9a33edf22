"""Several curves in one figure, with their spread over seeds and published results."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pruning.engine.evaluation import Evaluation
from pruning.experiments.curves import Curve
from pruning.experiments.literature import PublishedResult
from pruning.experiments.retrained import RetrainedCurve, RetrainedPoint
from pruning.figures.parts import (
    CURVE_COLOURS,
    NEUTRAL,
    Trace,
    accuracy_axis,
    confidence_bars,
    join_descriptions,
    layout,
    legend_height,
    share_axis,
)
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.quantities import (
    ACCURACY,
    EFFECTIVE_COMPRESSION,
    EFFECTIVE_MACS,
    LOSS,
    Quantity,
    removed_quantity,
)
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS
from pruning.recipe.step import Step

X_AXES = ("sparsity", "compression", "macs")
Y_AXES = {"accuracy": ACCURACY, "loss": LOSS}
RETRAINED_SYMBOLS = ("diamond", "square", "cross", "triangle-up", "hexagon")
MAX_COMPRESSION = 1000.0
"""Higher ratios are drawn here: a network without any effective parameter has no finite one."""


def x_quantity(x: str, methods: Iterable[str]) -> Quantity:
    """Return the quantity on the horizontal axis.

    Parameters
    ----------
    x : str
        Name in ``X_AXES``.
    methods : iterable of str
        Methods of the curves, names in ``METHODS``.

    Returns
    -------
    Quantity
        Sparsity, effective compression ratio or effective MACs.
    """
    if x == "compression":
        return EFFECTIVE_COMPRESSION
    if x == "macs":
        return EFFECTIVE_MACS
    return removed_quantity(methods)


def tradeoff_curves(
    curves: Sequence[Curve],
    names: Sequence[str],
    *,
    x: str,
    y: str,
    published: Sequence[PublishedResult] = (),
    retrained: Sequence[RetrainedCurve] = (),
) -> PlainFigure:
    """Draw the mean of each curve over its seeds, and a band of one standard deviation.

    Parameters
    ----------
    curves : sequence of Curve
        The curves; some of their evaluations may be missing.
    names : sequence of str
        Their names, at most as many as there are colours.
    x : str
        Name in ``X_AXES``.
    y : str
        Name in ``Y_AXES``.
    published : sequence of PublishedResult
        Results to show as stars, where they have a place on these axes.
    retrained : sequence of RetrainedCurve
        Networks that were pruned and trained, to show in grey, where they have a place.

    Returns
    -------
    PlainFigure
        Accuracies of a part of the images have their 95% confidence intervals, where there is one
        seed. The ``customdata`` of a point is [index of the curve, index in ``curve.points``]; of
        a run on this machine, its name.
    """
    bands, traces = [], []
    quantity = x_quantity(x, _methods(curves))
    colours = CURVE_COLOURS[: len(names)]
    for index, (curve, name, colour) in enumerate(zip(curves, names, colours, strict=True)):
        if not curve.points:
            continue
        positions, _ = curve.values(quantity.value)
        if x == "compression":
            positions = np.minimum(positions, MAX_COMPRESSION)
        means, deviations = curve.values(Y_AXES[y].value)
        order = np.argsort(positions, kind="stable")
        if _has_seeds(curve):
            band = _band(positions[order], means[order], deviations[order], colour)
            bands.append(band)
        trace = {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": positions[order],
            "y": means[order],
            "line": {"color": colour, "width": 2},
            "marker": {"color": colour, "size": 7},
            "error_y": _confidence_bars(curve, order) if y == "accuracy" else None,
            "customdata": [[index, int(position)] for position in order],
            "text": [_hover_text(curve.points[position], name) for position in order],
            "hovertemplate": "%{text}<extra></extra>",
        }
        traces.append(trace)
    trained_curves = retrained_on_axes(retrained, _methods(curves), x, y)
    for trained, symbol in zip(trained_curves, itertools.cycle(RETRAINED_SYMBOLS), strict=False):
        traces.append(_retrained_trace(trained, x, symbol))
    stars = published_on_axes(published, x, y)
    if stars:
        traces.append(_published_trace(stars, x))
    return PlainFigure([*bands, *traces], _layout(traces, quantity, x, y))


def _methods(curves: Sequence[Curve]) -> list[str]:
    return [curve.recipe.last_step.method for curve in curves]


def _has_seeds(curve: Curve) -> bool:
    return any(len(evaluations) > 1 for evaluations in curve.points)


def _layout(traces: Sequence[Trace], quantity: Quantity, x: str, y: str) -> Trace:
    x_axis: dict[str, Any] = share_axis(quantity.title)
    if x == "compression":
        x_axis = {"title": quantity.title, "type": "log", "dtick": math.log10(2)}
    y_axis = accuracy_axis(Y_AXES[y].title)
    if y == "loss":
        y_axis = {"title": Y_AXES[y].title, "rangemode": "tozero"}
    legend = legend_height([trace["name"] for trace in traces])
    return layout(
        x=x_axis,
        y=y_axis,
        height=380 + legend,
        top=14 + legend,
        showlegend=True,
        hovermode="closest",
        clickmode="event+select",
    )


def _band(x: np.ndarray, means: np.ndarray, deviations: np.ndarray, colour: str) -> Trace:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    upper, lower = means + deviations, means - deviations
    return {
        "type": "scatter",
        "mode": "lines",
        "x": np.concatenate([x, x[::-1]]),
        "y": np.concatenate([upper, lower[::-1]]),
        "fill": "toself",
        "fillcolor": f"rgba({red},{green},{blue},0.2)",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _confidence_bars(curve: Curve, order: np.ndarray) -> Trace | None:
    """Return the confidence intervals of a curve of one seed; other curves have a band."""
    if _has_seeds(curve):
        return None
    points = curve.points
    return confidence_bars([points[position][0].accuracy for position in order])


def _hover_text(evaluations: Sequence[Evaluation], name: str) -> str:
    """Describe the evaluations of all seeds at one position; the costs are those of the first."""
    first = evaluations[0]
    accuracies = [evaluation.accuracy.value for evaluation in evaluations]
    loss = np.mean([evaluation.loss for evaluation in evaluations])
    seeds = "one run"
    if len(evaluations) > 1:
        deviation = np.std(accuracies)
        seeds = f"mean of {len(evaluations)} seeds, standard deviation {deviation:.2%}"
    lines = [
        f"<b>{name}</b>",
        _setting(first.recipe.last_step),
        f"accuracy {np.mean(accuracies):.2%} of {first.tally.images:,} images ({seeds})",
        f"loss {loss:.3f}",
        f"sparsity of prunable weights {first.sparsity:.2%}",
        f"effective compression {first.effective_compression:.2f}x, "
        f"effective MACs {first.effective.macs:,}",
    ]
    return "<br>".join(lines)


def _setting(step: Step) -> str:
    rule, units = RULES[step.rule], METHODS[step.method].label.lower()
    if isinstance(step.value, str):
        return f"{rule.label} {step.value}"
    if step.rule == "sparsity":
        return f"{step.value:.2%} of {units} removed"
    return f"{rule.label} {step.value:.4g}"


def published_on_axes(
    published: Iterable[PublishedResult], x: str, y: str
) -> list[PublishedResult]:
    """Select the published results that have a place on two axes.

    Parameters
    ----------
    published : iterable of PublishedResult
        Any published results.
    x : str
        Name in ``X_AXES``.
    y : str
        Name in ``Y_AXES``.

    Returns
    -------
    list of PublishedResult
        None of them has a published loss.
    """
    if y != "accuracy":
        return []
    return [result for result in published if _published_position(result, x) is not None]


def _published_position(result: PublishedResult, x: str) -> float | None:
    """Return the position of a published result on the horizontal axis, if it has one."""
    positions = {"compression": result.compression, "macs": result.macs}
    return positions.get(x)


def _published_trace(results: Sequence[PublishedResult], x: str) -> Trace:
    texts = []
    for result in results:
        accuracies = f"{result.accuracy:.2%}, dense {result.base:.2%}"
        texts.append(f"{result.source}: {accuracies}<br>{result.remark}")
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "published",
        "x": [_published_position(result, x) for result in results],
        "y": [result.accuracy for result in results],
        "marker": {"symbol": "star", "size": 13, "color": NEUTRAL},
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
    }


def retrained_on_axes(
    retrained: Iterable[RetrainedCurve], methods: Iterable[str], x: str, y: str
) -> list[RetrainedCurve]:
    """Select the trained networks that have a place on two axes.

    Parameters
    ----------
    retrained : iterable of RetrainedCurve
        Any trained networks.
    methods : iterable of str
        Methods of the other curves, names in ``METHODS``.
    x : str
        Name in ``X_AXES``.
    y : str
        Name in ``Y_AXES``.

    Returns
    -------
    list of RetrainedCurve
        None on an axis of the loss, which is not recorded, or of the share of removed pixels.
    """
    if y != "accuracy":
        return []
    if x == "sparsity" and removed_quantity(methods).title != removed_quantity(["weight"]).title:
        return []
    return list(retrained)


def _retrained_trace(curve: RetrainedCurve, x: str, symbol: str) -> Trace:
    points = curve.points
    deviations = [point.deviation or 0 for point in points]
    return {
        "type": "scatter",
        "mode": "lines+markers" if curve.is_joined else "markers",
        "name": f"retrained here: {curve.name}" if curve.is_joined else curve.name,
        "x": [min(point.position(x), MAX_COMPRESSION) for point in points],
        "y": [point.accuracy for point in points],
        "error_y": {"array": deviations, "thickness": 1} if any(deviations) else None,
        "line": {"color": NEUTRAL, "width": 1.5, "dash": "dash"},
        "marker": {"symbol": symbol, "size": 10, "color": NEUTRAL},
        "customdata": [point.networks[0].run for point in points],
        "text": [_retrained_text(point) for point in points],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _retrained_text(point: RetrainedPoint) -> str:
    first = point.networks[0]
    seeds = "one run"
    if point.deviation is not None:
        count = len(point.networks)
        seeds = f"mean of {count} seeds, standard deviation {point.deviation:.2%}"
    lines = [
        f"<b>{first.run or first.series}</b>",
        f"accuracy {point.accuracy:.2%} of {first.images:,} images ({seeds})",
        f"{first.epochs} epochs of training in this run",
        f"sparsity of prunable weights {point.position('sparsity'):.2%}",
        f"effective compression {point.position('compression'):.2f}x, "
        f"effective MACs {point.position('macs'):.1%}",
    ]
    return "<br>".join(lines)


def alt_of_tradeoff_curves(
    curves: Sequence[Curve],
    names: Sequence[str],
    *,
    x: str,
    y: str,
    retrained: Sequence[RetrainedCurve] = (),
) -> str:
    """Describe `tradeoff_curves` in words.

    Parameters
    ----------
    curves : sequence of Curve
        The curves.
    names : sequence of str
        Their names.
    x : str
        Name in ``X_AXES``.
    y : str
        Name in ``Y_AXES``.
    retrained : sequence of RetrainedCurve
        Those that are shown.

    Returns
    -------
    str
        Every known point of every curve, the mean over its seeds.
    """
    quantity = x_quantity(x, _methods(curves))
    descriptions = []
    for curve, name in zip(curves, names, strict=True):
        if not curve.points:
            continue
        positions, _ = curve.values(quantity.value)
        means, _ = curve.values(Y_AXES[y].value)
        points = zip(means, positions, strict=True)
        values = ", ".join(f"{mean:.3g} at {position:.3g}" for mean, position in points)
        descriptions.append(f"{name}: {values}")
    for shown in retrained:
        values = ", ".join(
            f"{point.accuracy:.3g} at {point.position(x):.3g}" for point in shown.points
        )
        descriptions.append(f"{shown.name}: {values}")
    title = f"{Y_AXES[y].title.capitalize()} against {quantity.title}"
    return f"{title}. {join_descriptions(descriptions, 'No points yet')}."
