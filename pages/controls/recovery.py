"""The widget for what happens to the remaining weights after pruning."""

from pages.state.step_widgets import NO_RECOVERY
from pages.state.widgets import select
from pruning.methods.recovery import RECOVERIES
from pruning.recipe.compatibility import recoveries_for


def draw_recovery(network: str, key: str) -> tuple[str, ...]:
    """Draw the select box of recoveries.

    Parameters
    ----------
    network : str
        Name in ``NETWORKS``.
    key : str
        Key of the widget.

    Returns
    -------
    tuple of str
        Recoveries of the recipe.
    """
    chosen = select(
        "Recovery",
        [NO_RECOVERY, *recoveries_for(network)],
        key,
        format_func=_label_of,
        help=_help(network),
    )
    return () if chosen == NO_RECOVERY else (chosen,)


def _label_of(name: str) -> str:
    return "None" if name == NO_RECOVERY else RECOVERIES[name].label


def _help(network: str) -> str:
    lines = ["What happens to the remaining weights after the last step, without training."]
    for name in recoveries_for(network):
        entry = RECOVERIES[name]
        lines.append(f"**{entry.label}** ${entry.formula}$: {entry.help}")
    return "  \n".join(lines)
