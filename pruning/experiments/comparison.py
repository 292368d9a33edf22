"""Several recipes side by side, at the same budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pruning.engine.evaluate import EvaluationProgress, evaluate, evaluate_with_dense
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import rank_units
from pruning.experiments.budgets import Budget, MatchedRecipe, match_budget
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict, recipe_to_dict

MAX_COLUMNS = 6
KEYS = ("budget", "dense", "columns")
"""Keys of a comparison in JSON."""


@dataclass(frozen=True)
class ColumnProgress:
    """Progress of one column.

    Parameters
    ----------
    share : float
        Share of scoring and matching that is done.
    matched : MatchedRecipe or None
        The recipe at the budget, once it is found.
    evaluation : Evaluation or None
        Its evaluation so far, after recovery if the recipe has one.
    before_recovery : Evaluation or None
        Its evaluation before recovery; None without a recovery.
    """

    share: float
    matched: MatchedRecipe | None = None
    evaluation: Evaluation | None = None
    before_recovery: Evaluation | None = None


def measure_column(
    recipe: Recipe, budget: Budget, report: Callable[[ColumnProgress], None]
) -> ColumnProgress:
    """Score, match and evaluate one column.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the column.
    budget : Budget
        What all columns have in common.
    report : callable
        Called with the progress.

    Returns
    -------
    ColumnProgress
        With matched recipe and evaluation.
    """
    rank_units(recipe, lambda share: report(ColumnProgress(share / 2)))
    matched = match_budget(recipe, budget, lambda share: report(ColumnProgress(0.5 + share / 2)))
    before_recovery = None
    if matched.recipe.recovery:
        masked_recipe = matched.recipe.without_recovery
        [before_recovery] = evaluate(
            [masked_recipe], report=lambda progress: report(ColumnProgress(1.0, matched))
        )

    def report_evaluation(progress: EvaluationProgress) -> None:
        report(ColumnProgress(1.0, matched, progress.evaluations[0], before_recovery))

    evaluation = evaluate_with_dense(matched.recipe, report_evaluation)
    return ColumnProgress(1.0, matched, evaluation, before_recovery)


def check_comparable(recipes: Sequence[Recipe]) -> None:
    """Check that recipes can stand in one comparison.

    Parameters
    ----------
    recipes : sequence of Recipe
        The recipes.

    Raises
    ------
    ValueError
        There are none, or they are of several networks or datasets.
    """
    if not recipes:
        raise ValueError("there is nothing to compare")
    if len({(recipe.network, recipe.dataset) for recipe in recipes}) > 1:
        subjects = ", ".join(f"{recipe.network} on {recipe.dataset}" for recipe in recipes)
        raise ValueError(f"only recipes of one network and one dataset can be compared: {subjects}")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Recipes at a budget with their evaluations.

    Parameters
    ----------
    budget : Budget
        What all columns have in common.
    columns : tuple of MatchedRecipe
        In the order of the recipes.
    evaluations : tuple of Evaluation
        One for each column.
    """

    budget: Budget
    columns: tuple[MatchedRecipe, ...]
    evaluations: tuple[Evaluation, ...]

    @classmethod
    def of(cls, recipes: Sequence[Recipe], budget: Budget) -> "Comparison":
        """Match and evaluate recipes.

        Parameters
        ----------
        recipes : sequence of Recipe
            Of one network and dataset.
        budget : Budget
            What all columns have in common.

        Returns
        -------
        Comparison
            The comparison.

        Raises
        ------
        ValueError
            As `check_comparable`.
        """
        check_comparable(recipes)
        columns = tuple(match_budget(recipe, budget) for recipe in recipes)
        return cls(budget, columns, evaluate([column.recipe for column in columns]))

    def table(self) -> pd.DataFrame:
        """Return a row per column of the comparison.

        Returns
        -------
        pd.DataFrame
            Accuracies, sparsity and effective costs.
        """
        values = [column.recipe.last_step.value for column in self.columns]
        if any(isinstance(value, str) for value in values):  # one type for the whole column
            values = [str(value) for value in values]
        rows = []
        for number, (column, evaluation) in enumerate(
            zip(self.columns, self.evaluations, strict=True), start=1
        ):
            low, high = evaluation.accuracy.interval
            effective, dense = evaluation.effective, evaluation.dense
            row = {
                "column": number,
                "name": recipe_label(column.recipe),
                "value": values[number - 1],
                "accuracy": evaluation.accuracy.value,
                "accuracy_low": low,
                "accuracy_high": high,
                "images": evaluation.accuracy.images,
                "sparsity": evaluation.sparsity,
                "effective_parameters": effective.parameters,
                "effective_macs": effective.macs,
                "effective_compression": evaluation.effective_compression,
                "theoretical_speed_up": dense.macs / max(1, effective.macs),
                "problem": column.problem,
            }
            rows.append(row)
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values.

        Returns
        -------
        dict
            Budget, dense network and columns, each with its recipe.
        """
        dense = self.evaluations[0].dense
        columns = []
        for column, row in zip(self.columns, self.table().to_dict("records"), strict=True):
            row["problem"] = column.problem or None
            columns.append({"recipe": recipe_to_dict(column.recipe), **row})
        return {
            "budget": self.budget.to_dict(),
            "dense": {
                "accuracy": self.evaluations[0].dense_accuracy,
                "parameters": dense.parameters,
                "macs": dense.macs,
            },
            "columns": columns,
        }

    def to_text(self) -> str:
        """Convert to text for a terminal.

        Returns
        -------
        str
            A table, and a line for each problem.
        """
        columns = ["name", "accuracy", "sparsity", "effective_parameters", "effective_macs"]
        formatters = {"accuracy": "{:.2%}".format, "sparsity": "{:.2%}".format}
        lines = [self.table()[columns].to_string(index=False, formatters=formatters)]
        for column in self.columns:
            if column.problem:
                lines.append(f"{recipe_label(column.recipe)}: {column.problem}")
        return "\n".join(lines)


def read_comparison(content: object) -> tuple[list[Recipe], Budget]:
    """Read recipes and budget from JSON values.

    Parameters
    ----------
    content : object
        What `Comparison.to_dict` gives, or a list of recipes.

    Returns
    -------
    recipes : list of Recipe
        At most six, of one network and dataset.
    budget : Budget
        ``own`` if the content has none.

    Raises
    ------
    ValueError
        The content is not a comparison.
    """
    budget = Budget("own")
    if isinstance(content, dict) and "budget" in content:
        budget = Budget.from_dict(content["budget"])
    recipes = [recipe_from_dict(recipe) for recipe in recipe_contents(content)]
    check_comparable(recipes)
    return recipes, budget


def recipe_contents(content: object) -> list[object]:
    """Return the recipes of a comparison as JSON values.

    Parameters
    ----------
    content : object
        As of `read_comparison`.

    Returns
    -------
    list of object
        One to six, which are not checked.

    Raises
    ------
    ValueError
        The content is not a comparison.
    """
    contents = _recipes_of_columns(content.get("columns")) if isinstance(content, dict) else content
    if not isinstance(contents, list) or not 1 <= len(contents) <= MAX_COLUMNS:
        raise ValueError(f"a comparison is a list of 1 to {MAX_COLUMNS} recipes")
    return contents


def unknown_keys(content: object) -> list[str]:
    """Return the keys of a comparison that have no meaning.

    Parameters
    ----------
    content : object
        As of `read_comparison`.

    Returns
    -------
    list of str
        Keys of the outermost object.
    """
    return [key for key in content if key not in KEYS] if isinstance(content, dict) else []


def _recipes_of_columns(columns: object) -> list[object]:
    if not isinstance(columns, list):
        raise ValueError("columns must be a list")
    contents = []
    for column in columns:
        if not isinstance(column, dict):
            raise ValueError("a column is an object with a recipe")
        contents.append(column.get("recipe"))
    return contents
