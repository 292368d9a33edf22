"""One pruning step of a recipe."""

from dataclasses import dataclass

from pruning.methods.rules import Value


@dataclass(frozen=True, kw_only=True)
class Step:
    """One pruning of what the previous steps left.

    A step is checked and brought into its canonical form by the recipe that it becomes a part of,
    because names of layers and the criteria that apply depend on the network.

    Parameters
    ----------
    method : str
        What is removed, a name in ``METHODS``.
    criterion : str
        How units are scored, a name in ``CRITERIA``.
    variant : str
        Variant of the criterion, such as ``"l2"``; ``""`` selects the first one.
    grouping : str
        How units are grouped, a name in ``Method.groupings``; ``""`` selects the first one.
    scope : str
        What competes, a name in ``SCOPES``.
    rule : str
        What turns scores into a selection, a name in ``RULES``.
    value : float or str
        Value of the rule; a pattern such as ``"2:4"`` for the rule ``n_m``.
    values : tuple of (str, float)
        Values of single groups in the scope ``custom``, which take precedence over ``value``.
    layers : tuple of str, optional
        Names of the groups that take part; all of them by default.
    """

    method: str = "weight"
    criterion: str = "magnitude"
    variant: str = ""
    grouping: str = ""
    scope: str = "global"
    rule: str = "sparsity"
    value: Value = 0.5
    values: tuple[tuple[str, float], ...] = ()
    layers: tuple[str, ...] | None = None

    def has_same_scores(self, other: "Step") -> bool:
        """Return whether two steps have the same units and scores.

        Parameters
        ----------
        other : Step
            A step of the same network; both are canonical.

        Returns
        -------
        bool
            Rule, scope, value and layers may differ.
        """
        return (
            self.method == other.method
            and self.grouping == other.grouping
            and self.criterion == other.criterion
            and self.variant == other.variant
        )
