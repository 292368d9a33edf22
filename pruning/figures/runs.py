"""Retraining runs: what was made from what, and their accuracies beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from pruning.experiments.run_table import RunNode
from pruning.figures.parts import CURVE_COLOURS, NEUTRAL, Trace, accuracy_axis, layout
from pruning.figures.plain_figure import PlainFigure

ROW_HEIGHT = 46
LABEL_SIZE = 12
COMPRESSIONS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000)
"""Ticks of an axis of compression."""


@dataclass(frozen=True)
class RunPoint:
    """A network in the comparison of runs.

    Parameters
    ----------
    name : str
        Name of the run, or of the recipe.
    kind : str
        What the legend says, such as the label of the schedule.
    compression : float
        All parameters / effective parameters.
    epochs : int
        Epochs of training after pruning.
    accuracy : float
        On all test images.
    """

    name: str
    kind: str
    compression: float
    epochs: int
    accuracy: float


def run_map_figure(nodes: Sequence[RunNode]) -> PlainFigure:
    """Draw runs as a tree, from dense checkpoints on the left to runs of runs on the right.

    Parameters
    ----------
    nodes : sequence of RunNode
        A parent stands before its children.

    Returns
    -------
    PlainFigure
        The custom data of a point are its name.
    """
    rows = _rows(nodes)
    by_name = {node.name: node for node in nodes}
    edges_x: list[float | None] = []
    edges_y: list[float | None] = []
    for node in nodes:
        if node.parent:
            parent = by_name[node.parent]
            edges_x += [parent.depth, parent.depth, node.depth, None]  # down, then to the right
            edges_y += [rows[parent.name], rows[node.name], rows[node.name], None]
    edges = {
        "type": "scatter",
        "mode": "lines",
        "x": edges_x,
        "y": edges_y,
        "line": {"color": NEUTRAL, "width": 1.5},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    deepest = max((node.depth for node in nodes), default=0)
    figure_layout = layout(
        x={"title": "", "visible": False, "range": [-0.35, deepest + 0.75]},
        y={"title": "", "visible": False, "range": [max(rows.values(), default=0) + 0.7, -0.7]},
        height=80 + ROW_HEIGHT * (1 + int(max(rows.values(), default=0))),
        left=10,
        bottom=10,
    )
    dense = [node for node in nodes if not node.is_run]
    runs = [node for node in nodes if node.is_run]
    traces = [
        edges,
        _nodes(dense, rows, "dense network", NEUTRAL, "top right"),
        _nodes(runs, rows, "run", CURVE_COLOURS[0], "middle right"),
    ]
    return PlainFigure(traces, figure_layout)


def _rows(nodes: Sequence[RunNode]) -> dict[str, float]:
    """Vertical positions: leaves below each other, parents at the height of their first child."""
    children: dict[str, list[RunNode]] = {}
    for node in nodes:
        children.setdefault(node.parent, []).append(node)
    rows: dict[str, float] = {}
    next_row = 0

    def place(node: RunNode) -> None:
        nonlocal next_row
        below = children.get(node.name, [])
        rows[node.name] = next_row
        for child in below:
            place(child)
        if not below:
            next_row += 1

    for root in children.get("", []):
        place(root)
    return rows


def _nodes(
    nodes: Sequence[RunNode], rows: dict[str, float], name: str, colour: str, position: str
) -> Trace:
    texts = []
    for node in nodes:
        accuracy = "not finished" if node.accuracy is None else f"{node.accuracy:.2%}"
        texts.append(f"<b>{node.label}</b><br>{accuracy}")
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "x": [node.depth for node in nodes],
        "y": [rows[node.name] for node in nodes],
        "text": texts,
        "textposition": position,
        "textfont": {"size": LABEL_SIZE},
        "customdata": [node.name for node in nodes],
        "marker": {"size": 15, "color": colour},
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def alt_of_run_map(nodes: Sequence[RunNode]) -> str:
    """Describe `run_map_figure` in words.

    Parameters
    ----------
    nodes : sequence of RunNode
        A parent stands before its children.

    Returns
    -------
    str
        Each run and what it was made from.
    """
    sentences = [f"{node.label} from {node.parent}" for node in nodes if node.parent]
    return f"Map of runs: {'; '.join(sentences) or 'no runs'}."


def run_comparison(points: Sequence[RunPoint], x: str, dense_accuracy: float) -> PlainFigure:
    """Draw test accuracy against compression or epochs.

    Parameters
    ----------
    points : sequence of RunPoint
        Networks of one dense checkpoint.
    x : str
        ``"compression"`` or ``"epochs"``.
    dense_accuracy : float
        Where to draw the line of the dense network.

    Returns
    -------
    PlainFigure
        A colour for each kind.
    """
    traces = []
    for index, kind in enumerate(dict.fromkeys(point.kind for point in points)):
        members = [point for point in points if point.kind == kind]
        traces.append(_points(members, kind, x, CURVE_COLOURS[index % len(CURVE_COLOURS)]))
    titles = {"compression": "effective compression (log scale)", "epochs": "epochs of training"}
    x_axis: Trace = {"title": titles[x], "type": "linear", "rangemode": "tozero"}
    if x == "compression":
        x_axis |= {"type": "log", "tickvals": COMPRESSIONS, "rangemode": "normal"}
    dense = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": dense_accuracy,
        "y1": dense_accuracy,
        "line": {"color": NEUTRAL, "dash": "dot", "width": 1},
    }
    y_axis = accuracy_axis("test accuracy") | {"range": None}
    return PlainFigure(traces, layout(x=x_axis, y=y_axis, height=380, shapes=[dense], top=60))


def _points(points: Sequence[RunPoint], kind: str, x: str, colour: str) -> Trace:
    members = sorted(points, key=lambda point: getattr(point, x))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": kind,
        "x": [getattr(point, x) for point in members],
        "y": [point.accuracy for point in members],
        "customdata": [point.name for point in members],
        "marker": {"color": colour, "size": 11, "line": {"width": 1, "color": "white"}},
        "hovertemplate": f"%{{customdata}}: %{{y:.2%}} at %{{x:.4g}} ({x})<extra></extra>",
    }


def alt_of_run_comparison(points: Sequence[RunPoint], x: str) -> str:
    """Describe `run_comparison` in words.

    Parameters
    ----------
    points : sequence of RunPoint
        Networks of one dense checkpoint.
    x : str
        ``"compression"`` or ``"epochs"``.

    Returns
    -------
    str
        Each point.
    """
    described = []
    for point in points:
        described.append(f"{point.kind} {point.accuracy:.2%} at {getattr(point, x):.4g}")
    return f"Test accuracy against {x}: {'; '.join(described) or 'no finished runs'}."
