"""Recipes at the same budget: parameters, MACs or accuracy."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from pruning.engine.evaluate import validation_accuracy
from pruning.engine.prune import prune, rank_units
from pruning.experiments.strength import with_sparsity
from pruning.recipe.query import parse_float
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ignore_progress
from pruning.runtime.registry import Registry

BUDGETS: Registry[str] = Registry("budget")
BUDGETS.add("parameters", "Equal effective parameters, as a share of all parameters")
BUDGETS.add("macs", "Equal effective MACs (multiply-accumulates), as a share of all MACs")
BUDGETS.add(
    "accuracy",
    "Equal accuracy: the highest sparsity that keeps this accuracy on the validation images",
)
BUDGETS.add("own", "Each column its own value")

LABELS = {"parameters": "effective parameters", "macs": "effective MACs"}
SEARCH_TOLERANCE = 0.0005
"""A search ends when the remaining share is this close to the budget."""
BUDGET_TOLERANCE = 0.01
"""A budget is met if the remaining share differs by at most this share of the dense network, and
at most a tenth of the budget."""
ACCURACY_STEPS = 9
MAX_ACCURACIES = 2 + ACCURACY_STEPS

Report = Callable[[float], None]


@dataclass(frozen=True)
class Budget:
    """What all recipes of a comparison have in common.

    Parameters
    ----------
    kind : str
        A name in ``BUDGETS``.
    share : float
        Share of the dense network's parameters or MACs that remains, or the accuracy that is
        kept; without meaning for ``own``.

    Raises
    ------
    ValueError
        An unknown kind, or a share out of range.
    """

    kind: str
    share: float = 0.5

    def __post_init__(self) -> None:
        BUDGETS.require(self.kind)
        is_number = isinstance(self.share, int | float) and not isinstance(self.share, bool)
        if not is_number or not 0 <= self.share <= 1:
            text = str(self.share) if is_number else repr(self.share)
            raise ValueError(f"{self.kind} must be between 0 and 1, not {text[:30]}")

    @classmethod
    def from_text(cls, text: str) -> "Budget":
        """Read a budget such as ``macs=0.5``.

        Parameters
        ----------
        text : str
            Kind and share, or ``own``.

        Returns
        -------
        Budget
            The budget.

        Raises
        ------
        ValueError
            The text is not a budget.
        """
        kind, equals, share_text = text.partition("=")
        kind = kind.strip()
        if kind == "own" and not equals:
            return cls("own")
        problem = f"budget {text[:40]!r}"
        valid = "must be like macs=0.5, parameters=0.25, accuracy=0.98 or own"
        try:
            share = parse_float(kind, share_text)
        except ValueError:
            raise ValueError(f"{problem}: {valid}") from None
        if kind not in BUDGETS:
            raise ValueError(f"{problem}: {valid}")
        try:
            return cls(kind, share)
        except ValueError as error:
            raise ValueError(f"{problem}: {error}") from None

    @classmethod
    def from_dict(cls, content: object) -> "Budget":
        """Read a budget from JSON values, as `to_dict` gives them.

        Parameters
        ----------
        content : object
            Anything that JSON can hold.

        Returns
        -------
        Budget
            The budget.

        Raises
        ------
        ValueError
            The content is not a budget.
        """
        if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
            valid = ", ".join(BUDGETS)
            raise ValueError(f"a budget is an object with kind (one of {valid}) and share")
        if content["kind"] == "own":
            return cls("own")
        return cls(content["kind"], content.get("share"))  # type: ignore[arg-type]  # checked there

    def to_dict(self) -> dict[str, str | float | None]:
        """Convert to JSON values.

        Returns
        -------
        dict
            ``kind`` and ``share``.
        """
        return {"kind": self.kind, "share": None if self.kind == "own" else self.share}

    def to_text(self) -> str:
        """Convert to the text that `from_text` reads.

        Returns
        -------
        str
            Such as ``macs=0.5``.
        """
        return "own" if self.kind == "own" else f"{self.kind}={self.share:g}"


@dataclass(frozen=True)
class MatchedRecipe:
    """A recipe at a budget.

    Parameters
    ----------
    recipe : Recipe
        With the value of its last step adapted; the nearest recipe if the budget cannot be met.
    problem : str
        Why the budget cannot be met, or what was changed; empty if there is nothing to say.
    is_nearest : bool
        Whether the budget lies between two sizes that the recipe can have.
    """

    recipe: Recipe
    problem: str = ""
    is_nearest: bool = False


def match_budget(recipe: Recipe, budget: Budget, report: Report = ignore_progress) -> MatchedRecipe:
    """Adapt the strength of the last step to a budget, by bisection.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    budget : Budget
        What must remain.
    report : callable
        Called with the share of the search that is done.

    Returns
    -------
    MatchedRecipe
        The recipe at the budget.
    """
    rank_units(recipe, lambda share: report(0.0))
    if budget.kind == "own":
        return MatchedRecipe(recipe)
    if recipe.last_step.scope == "custom":
        uniform = recipe.with_last_step(scope="layer", values=())
        matched = match_budget(uniform, budget, report)
        note = "One value is used for all layers."
        return replace(matched, problem=f"{note} {matched.problem}".strip())
    if budget.kind == "accuracy":
        return search_accuracy(recipe, budget.share, report)
    return search_cost(recipe, budget, report)


def remaining_share(recipe: Recipe, kind: str) -> float:
    """Return the effective parameters or MACs of a recipe as a share of the dense network's.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    kind : str
        ``"parameters"`` or ``"macs"``.

    Returns
    -------
    float
        From 0 to 1.
    """
    pruned = prune(recipe)
    if kind == "parameters":
        return pruned.effective.parameters / pruned.dense.parameters
    return pruned.effective.macs / pruned.dense.macs


def search_cost(recipe: Recipe, budget: Budget, report: Report = ignore_progress) -> MatchedRecipe:
    """Search the strength at which a share of the parameters or MACs remains.

    Parameters
    ----------
    recipe : Recipe
        A recipe with one value for all layers.
    budget : Budget
        Of the kind ``parameters`` or ``macs``.
    report : callable
        Called with the share of the search that is done.

    Returns
    -------
    MatchedRecipe
        The nearest recipe, with the reason if it does not meet the budget.
    """
    weakest, strongest = with_sparsity(recipe, 0.0), with_sparsity(recipe, 1.0)
    most = remaining_share(weakest, budget.kind)
    least = remaining_share(strongest, budget.kind)
    label, share = LABELS[budget.kind], budget.share
    tolerance = min(BUDGET_TOLERANCE, share / 10)
    if most < share - tolerance:
        problem = f"The previous steps leave only {most:.2%} of the {label}."
        return MatchedRecipe(weakest, problem)
    if least == most > share + tolerance:
        problem = f"Nothing that it removes changes the {label}: {share:.2%} is out of reach."
        return MatchedRecipe(weakest, problem)
    if least > share + tolerance:
        problem = f"At least {least:.2%} of the {label} remain: {share:.2%} is out of reach."
        return MatchedRecipe(strongest, problem)
    nearest = _bracket_search(recipe, budget, (weakest, strongest), report)
    reached = remaining_share(nearest, budget.kind)
    if abs(reached - share) <= tolerance:
        return MatchedRecipe(nearest)
    problem = (
        f"No sparsity leaves exactly {share:.2%} of the {label}: the nearest leaves {reached:.2%}."
    )
    return MatchedRecipe(nearest, problem, is_nearest=True)


@dataclass
class _Bracket:
    """Sparsities with the budget between them, and the shares that remain there."""

    low: float
    high: float
    share_at_low: float
    share_at_high: float

    def interpolate(self, share: float) -> float:
        """Sparsity at which the share would remain on a straight line, away from the ends."""
        difference = max(self.share_at_low - self.share_at_high, 1e-12)
        position = (self.share_at_low - share) / difference
        return self.low + (self.high - self.low) * min(0.95, max(0.05, position))

    def middle(self) -> float:
        """Sparsity in the middle."""
        return self.low + (self.high - self.low) * 0.5

    def narrow(self, sparsity: float, remaining: float, share: float) -> None:
        """Replace the end that lies on the same side of the budget."""
        if remaining > share:
            self.low, self.share_at_low = sparsity, remaining
        else:
            self.high, self.share_at_high = sparsity, remaining


def _bracket_search(
    recipe: Recipe, budget: Budget, ends: tuple[Recipe, Recipe], report: Report
) -> Recipe:
    """Find the recipe nearest to a budget, to one unit.

    Interpolation and bisection alternate: the remaining share falls with the sparsity, but not on
    a straight line.
    """
    share, units = budget.share, max(1, rank_units(recipe).units)
    max_steps = 2 * math.ceil(math.log2(max(2, units)))
    tolerance = min(SEARCH_TOLERANCE, share / 100)

    def distance(candidate: Recipe) -> float:
        return abs(remaining_share(candidate, budget.kind) - share)

    weakest, strongest = ends
    bracket = _Bracket(
        low=0.0,
        high=1.0,
        share_at_low=remaining_share(weakest, budget.kind),
        share_at_high=remaining_share(strongest, budget.kind),
    )
    nearest = min(ends, key=distance)
    for step in range(max_steps):
        if distance(nearest) <= tolerance or bracket.high - bracket.low <= 0.5 / units:
            break
        sparsity = bracket.interpolate(share) if step % 2 == 0 else bracket.middle()
        candidate = with_sparsity(recipe, sparsity)
        nearest = min(nearest, candidate, key=distance)
        bracket.narrow(sparsity, remaining_share(candidate, budget.kind), share)
        report((step + 1) / max_steps)
    return nearest


def search_accuracy(
    recipe: Recipe, accuracy: float, report: Report = ignore_progress
) -> MatchedRecipe:
    """Search the highest sparsity that keeps an accuracy on the validation images, by bisection.

    Parameters
    ----------
    recipe : Recipe
        A recipe with one value for all layers.
    accuracy : float
        Fraction of the validation images.
    report : callable
        Called with the share of the search that is done.

    Returns
    -------
    MatchedRecipe
        The strongest recipe that the bisection met and that keeps the accuracy.
    """
    measured = 0

    def measure(candidate: Recipe) -> float:
        nonlocal measured
        before, measured = measured, measured + 1
        return validation_accuracy(
            candidate, lambda share: report((before + share) / MAX_ACCURACIES)
        )

    weakest = with_sparsity(recipe, 0.0)
    reached = measure(weakest)
    if reached < accuracy:
        subject = "The previous steps alone reach"
        if not recipe.previous_steps:
            subject = "Without pruning it reaches"
        problem = f"{subject} {reached:.2%} on the validation images, not {accuracy:.2%}."
        return MatchedRecipe(weakest, problem)
    strongest = with_sparsity(recipe, 1.0)
    if measure(strongest) >= accuracy:
        return MatchedRecipe(strongest)
    low, high, best = 0.0, 1.0, weakest
    for _ in range(ACCURACY_STEPS):
        middle = (low + high) / 2
        candidate = with_sparsity(recipe, middle)
        if measure(candidate) >= accuracy:
            low, best = middle, candidate
        else:
            high = middle
    return MatchedRecipe(best)
