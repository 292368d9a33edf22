"""The link of Curves: its fields, and what it asks for."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from pages.state import url
from pages.state.available import check_available, check_names
from pages.state.messages import report_bad_link
from pruning.experiments.curve_request import (
    DEFAULT_POINTS,
    DEFAULT_SEEDS,
    CurveRequest,
    check_points,
    check_seeds,
)
from pruning.recipe.query import (
    QueryField,
    format_query,
    parse_choice,
    parse_flag,
    parse_float,
    parse_int,
)
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict, recipe_to_dict
from pruning.runtime.json_reader import parse_json

X_LABELS = {
    "sparsity": "sparsity",
    "compression": "effective compression",
    "macs": "effective MACs left",
}
"""Labels of the horizontal axes, by the names in links."""
Y_LABELS = {"accuracy": "accuracy", "loss": "loss"}
DEFAULT_X, DEFAULT_Y = "sparsity", "accuracy"
PRECISIONS = {"full": None, "± 0.5 points": 0.005, "± 1 point": 0.01, "± 2 points": 0.02}


@dataclass(frozen=True)
class CurvesLink:
    """What a link of Curves says.

    Parameters
    ----------
    request : CurveRequest
        The curves.
    x, y : str
        Names in ``X_LABELS`` and ``Y_LABELS``.
    published, retrained : bool
        Whether published results, and networks that were trained here, are shown.
    """

    request: CurveRequest
    x: str
    y: str
    published: bool
    retrained: bool


def _parse_recipes(text: str) -> tuple[Recipe, ...]:
    contents = parse_json(text, "recipes")
    if not isinstance(contents, list):
        raise ValueError("recipes must be a list")
    for content in contents:
        check_names(content)
    recipes = tuple(recipe_from_dict(content) for content in contents)
    if recipes:
        check_available(recipes[0].network, recipes[0].dataset)
    return recipes


def _format_recipes(link: CurvesLink) -> str:
    contents = [recipe_to_dict(recipe) for recipe in link.request.recipes]
    return json.dumps(contents, separators=(",", ":"))


def _parse_points(text: str) -> int:
    points = parse_int("points", text)
    check_points(points)
    return points


def _format_points(link: CurvesLink) -> str:
    return str(link.request.points)


def _parse_seeds(text: str) -> int:
    seeds = parse_int("seeds", text)
    check_seeds(seeds)
    return seeds


def _format_seeds(link: CurvesLink) -> str:
    return str(link.request.seeds)


def _parse_precision(text: str) -> float:
    precision = parse_float("precision", text)
    valid = [value for value in PRECISIONS.values() if value is not None]
    if precision not in valid:
        names = ", ".join(str(value) for value in valid)
        raise ValueError(f"precision must be one of {names}, not {precision}")
    return precision


def _format_precision(link: CurvesLink) -> str | None:
    precision = link.request.precision
    return None if precision is None else str(precision)


def _format_x(link: CurvesLink) -> str | None:
    return None if link.x == DEFAULT_X else link.x


def _format_y(link: CurvesLink) -> str | None:
    return None if link.y == DEFAULT_Y else link.y


def _format_published(link: CurvesLink) -> str | None:
    return "True" if link.published else None


def _format_retrained(link: CurvesLink) -> str | None:
    return "True" if link.retrained else None


FIELDS = (
    QueryField("recipes", _parse_recipes, _format_recipes),
    QueryField("points", _parse_points, _format_points),
    QueryField("seeds", _parse_seeds, _format_seeds),
    QueryField("precision", _parse_precision, _format_precision),
    QueryField("x", partial(parse_choice, "x", valid=X_LABELS), _format_x),
    QueryField("y", partial(parse_choice, "y", valid=Y_LABELS), _format_y),
    QueryField("published", partial(parse_flag, "published"), _format_published),
    QueryField("retrained", partial(parse_flag, "retrained"), _format_retrained),
)


def read_link() -> dict[str, Any]:
    """Read the link; what is wrong with it is reported.

    Returns
    -------
    dict
        Value by key, of the fields that the link has; without ``recipes``, the others are for the
        default curves. Empty if the link cannot be followed.
    """
    values = url.read_link(FIELDS)
    if "recipes" not in values:
        return values
    points, seeds = values.get("points", DEFAULT_POINTS), values.get("seeds", DEFAULT_SEEDS)
    try:
        CurveRequest(values["recipes"], points, seeds)
    except ValueError as error:  # the recipes do not go together, or are too many
        report_bad_link(error)
        return {}
    return values


def put_link(link: CurvesLink) -> None:
    """Let the address bar say what is shown.

    Parameters
    ----------
    link : CurvesLink
        What is shown.
    """
    url.set_query(format_query(FIELDS, link))
