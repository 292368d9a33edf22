"""A study as one HTML page, as Blalock et al. 2020 ask for: both trade-offs, controls, seeds."""

import html
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from pruning.data.datasets import DATASETS
from pruning.experiments.study.results import NamedCurve, Pair
from pruning.experiments.study.study_file import CONTROL, MIN_VALUES, Study
from pruning.figures.curves import tradeoff_curves
from pruning.figures.html_page import html_page
from pruning.figures.parts import CURVE_COLOURS, horizontal_line
from pruning.models import NETWORKS

MOST_CONTROLS = 4
"""Of a figure; further ones stand in figures of their own."""
AXES = {"compression": "effective compression", "macs": "effective MACs"}
DENSE_LABEL = {
    "xref": "paper",
    "yref": "paper",
    "x": 1,
    "y": 1.02,
    "xanchor": "right",
    "yanchor": "bottom",
    "showarrow": False,
}
PACKAGES = ("torch", "numpy")
FORMATS = {
    **dict.fromkeys(("value", "sparsity"), "{:.2%}"),
    **dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high", "dense_accuracy"), "{:.2%}"),
    **dict.fromkeys(("compression", "speed_up"), "{:.2f}x"),
}


def study_report(
    study: Study,
    text: str,
    curves: Mapping[Pair, Sequence[NamedCurve]],
    dense: Mapping[Pair, float],
    table: pd.DataFrame,
    unmet: Sequence[str] = (),
) -> str:
    """Write the report of a study.

    Parameters
    ----------
    study : Study
        The study.
    text : str
        Content of its file.
    curves : mapping of tuple to sequence of NamedCurve
        As of `curves_by_pair`.
    dense : mapping of tuple to float
        As of `dense_accuracies`.
    table : pd.DataFrame
        As of `results_table`.
    unmet : sequence of str
        As of `unmet_budgets`.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    figures: dict[str, go.Figure] = {}
    for (network, dataset), named in curves.items():
        for x, label in AXES.items():
            heading = f"{NETWORKS[network].label} on {DATASETS[dataset].label}: accuracy, {label}"
            figures |= _figures(heading, named, x, dense[network, dataset])
    sections = {}
    if study.description:
        sections["What was measured"] = f"<p>{html.escape(study.description)}</p>"
    sections |= {
        "How to read it": (
            "<p>Accuracies are of all test images, or of as many as the table says. Intervals of "
            "the mean are 95% (Student's t over the seeds); with one seed they are of the accuracy "
            "on images like those of the test set. Bands in the figures are one standard deviation "
            "over the seeds (of the population), bars the intervals of one seed. Compression is "
            "all parameters / effective parameters, speed-up all multiply-accumulates / effective "
            "ones: theoretical. Random controls remove units by chance, and are recovered or "
            "trained like the others; a dotted line is the network before pruning.</p>"
        ),
        "Study": f"<pre>{html.escape(text)}</pre>",
    }
    short = _short_curves(curves)
    if short:
        sections["How to read it"] += (
            f"<p>Blalock et al. 2020 recommend at least {MIN_VALUES} points a curve. Fewer have: "
            f"{html.escape('; '.join(short))}.</p>"
        )
    if unmet:
        items = "".join(f"<li>{html.escape(line)}</li>" for line in unmet)
        sections["Budgets that are not met"] = f"<ul>{items}</ul>"
    appendix = {"Results": _table(table), "Made with": _table(_origins())}
    return html_page(study.title, figures, sections, appendix)


def _short_curves(curves: Mapping[Pair, Sequence[NamedCurve]]) -> list[str]:
    """Names of the curves with too few points."""
    names: dict[str, None] = {}
    for named in curves.values():
        for each in named:
            if len(each.curve.points) < MIN_VALUES:
                names[each.name] = None
    return list(names)


def _figures(
    heading: str, named: Sequence[NamedCurve], x: str, dense: float
) -> dict[str, go.Figure]:
    """As many figures as the colours make necessary, each with the controls."""
    controls = [each for each in named if each.name.startswith(CONTROL)][:MOST_CONTROLS]
    others = [each for each in named if each not in controls]
    most = len(CURVE_COLOURS) - len(controls)
    figures = {}
    for start in range(0, len(others), most):
        part = [*others[start : start + most], *controls]
        figure = tradeoff_curves(
            [each.curve for each in part], [each.name for each in part], x=x, y="accuracy"
        )
        number = f" ({start // most + 1})" if len(others) > most else ""
        drawn = figure.checked
        drawn.add_shape({**horizontal_line(dense), "xref": "paper"})
        drawn.add_annotation(text=f"dense {dense:.2%}", **DENSE_LABEL)
        figures[f"{heading}{number}"] = drawn
    return figures


def _table(table: pd.DataFrame) -> str:
    formatters = {}
    for name in table.columns:
        if name in FORMATS:
            formatters[name] = _formatter(FORMATS[name])
    content = table.to_html(index=False, border=0, formatters=formatters, na_rep="")
    return f'<div class="wide">{content}</div>'


def _formatter(template: str) -> Callable[[Any], str]:
    def format_value(value: Any) -> str:
        return "" if pd.isna(value) else template.format(value)

    return format_value


def _origins() -> pd.DataFrame:
    rows = [("Python", platform.python_version()), ("processor", platform.machine())]
    rows += [(name, version(name)) for name in PACKAGES]
    return pd.DataFrame(rows, columns=["what", "version"])
