"""Recipes as JSON and as links: one table of fields each, and one validating reader."""

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from operator import attrgetter
from typing import Any

from pruning.methods.rules import RULES, Value
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import criteria_for, default_grouping, default_variant
from pruning.recipe.query import QueryField, format_query, parse_float, parse_int, parse_query
from pruning.recipe.recipe import DEFAULT_CALIBRATION, MAX_STEPS, Recipe
from pruning.recipe.step import Step
from pruning.runtime.json_reader import parse_json

STEP_KEYS = {field.name: field.name for field in fields(Step)} | {"variant": "measure"}
"""Names of a step's fields in JSON, by attribute."""

RECIPE_KEYS = {
    "network": "network",
    "dataset": "dataset",
    "calibration": "calibration",
    "max_test_images": "images",
    "seed": "seed",
}
"""Names of a recipe's other fields in JSON, by attribute."""


def step_to_dict(step: Step) -> dict[str, Any]:
    """Convert a step to JSON values.

    Parameters
    ----------
    step : Step
        A canonical step.

    Returns
    -------
    dict
        ``values`` as an object, ``layers`` None for all.
    """
    content = {key: getattr(step, attribute) for attribute, key in STEP_KEYS.items()}
    content["grouping"] = _grouping_in_json(step)
    content["values"] = dict(step.values)
    content["layers"] = None if step.layers is None else list(step.layers)
    return content


def _grouping_in_json(step: Step) -> str:
    is_unnamed = METHODS[step.method].default_is_unnamed
    return "" if is_unnamed and step.grouping == default_grouping(step.method) else step.grouping


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Convert a recipe to JSON values.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    dict
        Every field of the recipe. With one step, also the fields of that step, with all its layers
        listed; with several, a list ``steps``.
    """
    content = {key: getattr(recipe, attribute) for attribute, key in RECIPE_KEYS.items()}
    # Absent if they are empty or zero, so that keys of stored results stay the same.
    if recipe.recovery:
        content["recovery"] = list(recipe.recovery)
    if recipe.checkpoint:
        content["checkpoint"] = recipe.checkpoint
    if recipe.draw:
        content["draw"] = recipe.draw
    if recipe.previous_steps:
        return content | {"steps": [step_to_dict(step) for step in recipe.steps]}
    return content | step_to_dict(recipe.last_step) | {"layers": list(recipe.chosen_layers)}


def recipe_from_dict(content: object) -> Recipe:
    """Read a recipe from JSON values, as `recipe_to_dict` gives them.

    Parameters
    ----------
    content : object
        What was read; anything that JSON can hold.

    Returns
    -------
    Recipe
        Missing fields take their default.

    Raises
    ------
    ValueError
        An unknown field, a wrong type, or what `Recipe` refuses.
    """
    if not isinstance(content, Mapping):
        raise ValueError("a recipe is an object with fields like network, method, rule and value")
    values = dict(content)
    step_contents = values.pop("steps", None)
    recovery = _recovery_from_json(values.pop("recovery", None))
    checkpoint, draw = values.pop("checkpoint", ""), values.pop("draw", 0)
    recipe_keys = {*RECIPE_KEYS.values(), "recovery", "checkpoint", "draw"}
    if step_contents is None:
        step_keys = set(STEP_KEYS.values())
        _check_fields("recipe", values, recipe_keys | step_keys | {"steps"})
        step_values = {key: values.pop(key) for key in step_keys & set(values)}
        steps: tuple[Step, ...] = (_step_from_dict(step_values),)
    else:
        _check_fields("recipe", values, recipe_keys)
        steps = _steps_from_list(step_contents)
    attributes = {key: attribute for attribute, key in RECIPE_KEYS.items()}
    fields_of_recipe = {attributes[key]: value for key, value in values.items()}
    return Recipe(
        steps=steps, recovery=recovery, checkpoint=checkpoint, draw=draw, **fields_of_recipe
    )


def _recovery_from_json(names: object) -> tuple[str, ...]:
    if names is None:
        return ()
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("recovery must be a list of names")
    return tuple(names)


def _steps_from_list(contents: object) -> tuple[Step, ...]:
    if not isinstance(contents, list) or not 1 <= len(contents) <= MAX_STEPS:
        raise ValueError(f"steps must be a list of 1 to {MAX_STEPS} steps")
    return tuple(_step_from_dict(content) for content in contents)


def _step_from_dict(content: object) -> Step:
    if not isinstance(content, Mapping):
        raise ValueError("a step is an object with fields like method, criterion, rule and value")
    _check_fields("step", content, set(STEP_KEYS.values()))
    attributes = {key: attribute for attribute, key in STEP_KEYS.items()}
    values = {attributes[key]: value for key, value in content.items()}
    values["layers"] = _layers_from_json(content.get("layers"))
    values["values"] = _values_from_json(content.get("values"))
    for key in ("measure", "grouping"):
        if not isinstance(content.get(key, ""), str):
            raise ValueError(f"{key} must be text, not {content[key]!r}")
    return Step(**values)


def _layers_from_json(layers: object) -> tuple[str, ...] | None:
    if layers is None:
        return None
    if not isinstance(layers, list | tuple) or not all(isinstance(name, str) for name in layers):
        raise ValueError("layers must be a list of names")
    return tuple(layers)


def _values_from_json(values: object) -> tuple[tuple[str, float], ...]:
    if values is None:
        return ()
    if not isinstance(values, Mapping):
        raise ValueError("values must be an object of layers and their values")
    return tuple(values.items())


def _check_fields(kind: str, content: Mapping[str, object], known: set[str]) -> None:
    for name in content:
        if name not in known:
            valid = ", ".join(sorted(known))
            raise ValueError(f"unknown {kind} field {name[:40]!r}: choose from {valid}")


def _format_variant(recipe: Recipe) -> str | None:
    step = recipe.last_step
    default = default_variant(step.method, step.criterion)
    return None if step.variant == default else step.variant


def _format_grouping(recipe: Recipe) -> str | None:
    step = recipe.last_step
    default = default_grouping(step.method)
    return None if step.grouping == default else step.grouping


def _format_layers(recipe: Recipe) -> str | None:
    layers = recipe.last_step.layers
    return None if layers is None else ",".join(layers)


def _format_values(recipe: Recipe) -> str | None:
    values = recipe.last_step.values
    return ",".join(f"{name}={value!r}" for name, value in values) or None


def _format_previous_steps(recipe: Recipe) -> str | None:
    if not recipe.previous_steps:
        return None
    contents = []
    for step in recipe.previous_steps:
        content = step_to_dict(step)
        contents.append(
            {key: value for key, value in content.items() if value not in (None, {}, "")}
        )
    return json.dumps(contents, separators=(",", ":"))


def _format_calibration(recipe: Recipe) -> str | None:
    return None if recipe.calibration == DEFAULT_CALIBRATION else str(recipe.calibration)


def _format_seed(recipe: Recipe) -> str | None:
    return None if recipe.seed == 0 else str(recipe.seed)


def _format_recovery(recipe: Recipe) -> str | None:
    return ",".join(recipe.recovery) or None


def _format_checkpoint(recipe: Recipe) -> str | None:
    return recipe.checkpoint or None


def _parse_names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parse_previous_steps(text: str) -> list[Any]:
    if not text:
        return []
    content = parse_json(text, "earlier")
    if not isinstance(content, list):
        raise ValueError("earlier must be a list of steps")
    return content


def parse_values(text: str) -> dict[str, float]:
    """Parse values of single layers, such as ``conv1=0.3,fc1=0.9``.

    Parameters
    ----------
    text : str
        Pairs separated by commas.

    Returns
    -------
    dict of str to float
        Value by layer.

    Raises
    ------
    ValueError
        A value is not a number.
    """
    values = {}
    for pair in text.split(","):
        if pair:
            name, _, number = pair.partition("=")
            values[name.strip()] = parse_float(f"the value of {name.strip()}", number)
    return values


def _parse_rule_value(rule: str, text: str) -> Value:
    return text if RULES[rule].patterns else parse_float(rule, text)


def _format_rule_value(rule: str, recipe: Recipe) -> str | None:
    step = recipe.last_step
    if step.rule != rule:
        return None
    return step.value if isinstance(step.value, str) else repr(step.value)


FIELDS_BESIDES_RULE = (
    QueryField("network", str, attrgetter("network")),
    QueryField("dataset", str, attrgetter("dataset")),
    QueryField("method", str, attrgetter("last_step.method")),
    QueryField("criterion", str, attrgetter("last_step.criterion")),
    QueryField("scope", str, attrgetter("last_step.scope")),
    QueryField("measure", str, _format_variant),
    QueryField("grouping", str, _format_grouping),
    QueryField("layers", _parse_names, _format_layers),
    QueryField("values", parse_values, _format_values),
    QueryField("earlier", _parse_previous_steps, _format_previous_steps),
    QueryField("calibration", partial(parse_int, "calibration"), _format_calibration),
    QueryField("seed", partial(parse_int, "seed"), _format_seed),
    QueryField("recovery", _parse_names, _format_recovery),
    QueryField("checkpoint", str, _format_checkpoint),
)


def recipe_fields() -> tuple[QueryField, ...]:
    """Return the table of the link of a recipe.

    Returns
    -------
    tuple of QueryField
        A field for each rule, one of which a link has, with the rule's value; then the others.
    """
    rules = []
    for name in RULES:
        parse, format_value = partial(_parse_rule_value, name), partial(_format_rule_value, name)
        rules.append(QueryField(name, parse, format_value))
    return (*rules, *FIELDS_BESIDES_RULE)


def query_keys() -> set[str]:
    """Return the keys that a link of a recipe may have.

    Returns
    -------
    set of str
        Names of fields and of rules.
    """
    return {field.name for field in recipe_fields()}


def recipe_to_query(recipe: Recipe) -> dict[str, str]:
    """Convert a recipe to the fields of a link: ``network=lenet5&...&sparsity=0.9``.

    Parameters
    ----------
    recipe : Recipe
        Any recipe; a limit on the test images and a draw are not part of a link.

    Returns
    -------
    dict of str to str
        Texts by key, in the words of the command line.
    """
    return format_query(recipe_fields(), recipe)


def recipe_from_query(query: Mapping[str, str], default: Recipe) -> Recipe:
    """Read the recipe of a link.

    Parameters
    ----------
    query : mapping of str to str
        Texts by key; keys that are not in `query_keys` are ignored.
    default : Recipe
        Recipe of one step, for what the link does not say.

    Returns
    -------
    Recipe
        The recipe.

    Raises
    ------
    ValueError
        Two rules at once, a number that cannot be read, or what `Recipe` refuses.
    """
    given = parse_query(recipe_fields(), query)
    content = recipe_to_dict(default)
    content |= {"layers": None, "measure": "", "grouping": "", "values": {}}
    if "method" in given:
        network = given.get("network", default.network)
        content |= {"criterion": criteria_for(network, given["method"])[0], "scope": "global"}
    content |= _rule_of(given)
    content |= {name: value for name, value in given.items() if name not in RULES}
    previous = content.pop("earlier", [])
    if not previous:
        return recipe_from_dict(content)
    last_step = {key: content.pop(key) for key in STEP_KEYS.values()}
    return recipe_from_dict({**content, "steps": [*previous, last_step]})


def _rule_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return rule and value of the values of a link; nothing if it has no rule."""
    rules = [name for name in RULES if name in given]
    if not rules:
        return {}
    if len(rules) > 1:
        raise ValueError(f"a link can have one rule, not {' and '.join(rules)}")
    [rule] = rules
    return {"rule": rule, "value": given[rule]}
