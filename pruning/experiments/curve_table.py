"""Measured curves as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pruning.experiments.curve_request import COMPRESSION_RATIOS, CurveRequest
from pruning.experiments.curves import Curve
from pruning.recipe.labels import recipe_label


def curves_table(curves: Sequence[Curve]) -> pd.DataFrame:
    """Return a row per point and seed.

    Parameters
    ----------
    curves : sequence of Curve
        The curves.

    Returns
    -------
    pd.DataFrame
        Name, seed, value and every number of the evaluations.
    """
    rows = []
    for curve in curves:
        for evaluation in curve.evaluations:
            recipe = evaluation.recipe
            row = {
                "name": recipe_label(replace(curve.recipe, seed=recipe.seed)),
                "seed": recipe.seed,
                "value": str(recipe.last_step.value),
            }
            numbers = evaluation.to_dict()
            del numbers["recipe"]
            rows.append(row | numbers)
    return pd.DataFrame(rows)


def curves_to_dict(request: CurveRequest, curves: Sequence[Curve]) -> dict[str, Any]:
    """Convert curves to JSON values.

    Parameters
    ----------
    request : CurveRequest
        What was asked for.
    curves : sequence of Curve
        The curves.

    Returns
    -------
    dict
        Every point with its recipe, and the area under each curve.
    """
    contents = []
    for curve in curves:
        runs = []
        for run in curve.runs:
            runs.append([evaluation.to_dict() for evaluation in run if evaluation])
        content = {
            "name": recipe_label(curve.recipe, with_seed=False),
            "area": None if np.isnan(curve.area) else curve.area,
            "runs": runs,
        }
        contents.append(content)
    return {
        "points": request.points or list(COMPRESSION_RATIOS),
        "seeds": request.seeds,
        "precision": request.precision,
        "curves": contents,
    }
