"""What a retraining run measured after each epoch."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pruning.figures.parts import HIGHLIGHT, KEPT, NEUTRAL, REMOVED, Trace
from pruning.training.record import EpochRecord

HEIGHT = 430
MARKER_SIZE = 6
TITLES = ("Accuracy", "Loss (nats)", "Sparsity of weights", "Learning rate, first step")


def training_curves(
    records: Sequence[EpochRecord], epochs: int, dense_validation: float
) -> go.Figure:
    """Draw accuracy, loss, sparsity and learning rate against the epoch.

    Parameters
    ----------
    records : sequence of EpochRecord
        One for each finished epoch.
    epochs : int
        Number of epochs of the whole run, the end of the horizontal axes.
    dense_validation : float
        Validation accuracy of the network that the run started from.

    Returns
    -------
    go.Figure
        Four plots that share their horizontal axes; a series of a control is a line of its own.
    """
    figure = make_subplots(2, 2, subplot_titles=TITLES, shared_xaxes=True, vertical_spacing=0.13)
    for index, series in enumerate(dict.fromkeys(record.series for record in records)):
        members = [record for record in records if record.series == series]
        for trace, row, column in _traces(members, series, index):
            figure.add_trace(trace, row, column)
    figure.add_hline(
        dense_validation, row=1, col=1, line={"color": NEUTRAL, "dash": "dot", "width": 1}
    )
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 55, "r": 12, "t": 58, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "y": 1.09, "yanchor": "bottom"},
        uirevision="same",
    )
    figure.update_xaxes(range=[0.5, max(2, epochs) + 0.5], dtick=_tick(epochs), showgrid=False)
    figure.update_xaxes(title="epoch", row=2)
    figure.update_yaxes(zeroline=False)
    figure.update_yaxes(tickformat=".1%", row=1, col=1)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", row=2, col=1)
    figure.update_yaxes(rangemode="tozero", row=2, col=2)
    figure.update_yaxes(rangemode="tozero", row=1, col=2)
    return figure


def _tick(epochs: int) -> int:
    """Distance of the ticks, so that there are at most about ten."""
    return max(1, -(-epochs // 10))


def _traces(
    records: Sequence[EpochRecord], series: str, index: int
) -> list[tuple[Trace, int, int]]:
    """Lines of one series, with row and column."""
    suffix = f", {series}" if series else ""
    dash = ("solid", "dash", "dot")[index % 3]
    validation = [record.validation_accuracy for record in records]
    training = [record.train_accuracy for record in records]
    percent = "%{y:.2%}"
    return [
        (_line(f"validation{suffix}", KEPT, records, validation, dash, percent), 1, 1),
        (_line(f"training batches{suffix}", REMOVED, records, training, dash, percent), 1, 1),
        (
            _line("loss", HIGHLIGHT, records, [r.loss for r in records], dash, "%{y:.4f}", False),
            1,
            2,
        ),
        (
            _line("sparsity", KEPT, records, [r.sparsity for r in records], dash, percent, False),
            2,
            1,
        ),
        (
            _line(
                "learning rate",
                NEUTRAL,
                records,
                [r.learning_rate for r in records],
                dash,
                "%{y:.4g}",
                False,
            ),
            2,
            2,
        ),
    ]


def _line(
    name: str,
    colour: str,
    records: Sequence[EpochRecord],
    values: Sequence[float],
    dash: str,
    value_format: str,
    in_legend: bool = True,
) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [record.epoch for record in records],
        "y": list(values),
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "size": MARKER_SIZE},
        "showlegend": in_legend,
        "hovertemplate": f"epoch %{{x}}: {name} {value_format}<extra></extra>",
    }


def alt_of_training_curves(records: Sequence[EpochRecord]) -> str:
    """Describe `training_curves` in words.

    Parameters
    ----------
    records : sequence of EpochRecord
        One for each finished epoch.

    Returns
    -------
    str
        First and last values.
    """
    if not records:
        return "Accuracy, loss, sparsity and learning rate by epoch: no epoch is finished."
    first, last = records[0], records[-1]
    return (
        f"Accuracy, loss, sparsity and learning rate over {len(records)} epochs: validation "
        f"accuracy from {first.validation_accuracy:.2%} to {last.validation_accuracy:.2%}, "
        f"loss from {first.loss:.4f} to {last.loss:.4f}, sparsity from {first.sparsity:.1%} "
        f"to {last.sparsity:.1%}."
    )
