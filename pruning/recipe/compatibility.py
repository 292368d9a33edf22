"""What goes with what: which criteria, variants, groupings, rules and scopes are compatible."""

from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache

from torch import nn

from pruning.methods.criteria import CRITERIA
from pruning.methods.recovery import RECOVERIES
from pruning.methods.rules import RULES, SCOPES
from pruning.methods.units import METHODS, UnitGroup, groups
from pruning.models.base import structure_of
from pruning.recipe.step import Step


def methods_for(network: str) -> list[str]:
    """Return the methods that have something to remove in a network.

    Parameters
    ----------
    network : str
        Name in ``NETWORKS``.

    Returns
    -------
    list of str
        Names in ``METHODS``, in the order of registration.
    """
    return [name for name in METHODS if _filled_groupings(network, name)]


def _filled_groupings(network: str, method: str) -> list[str]:
    """Groupings with at least one group; that without a name, where there is no other."""
    names = list(METHODS[method].groupings) or [""]
    return [name for name in names if dense_groups(network, method, name)]


def criteria_for(network: str, method: str) -> list[str]:
    """Return the criteria that can score the units of a method in a network.

    Parameters
    ----------
    network, method : str
        Names in ``NETWORKS`` and ``METHODS``.

    Returns
    -------
    list of str
        Names in ``CRITERIA``, in the order of registration.
    """
    METHODS.require(method)
    names = []
    for name, criterion in CRITERIA.items():
        if method not in criterion.applies_to:
            continue
        if criterion.needs_batch_norm and not has_norm_per_convolution(network):
            continue
        names.append(name)
    return names


def variants_for(method: str, criterion: str) -> list[str]:
    """Return the variants of a criterion that differ for a method; empty if there is only one.

    Parameters
    ----------
    method, criterion : str
        Names in ``METHODS`` and ``CRITERIA``.

    Returns
    -------
    list of str
        Keys of ``Criterion.variants``, the default first.
    """
    entry = CRITERIA[criterion]
    return list(entry.variants) if method in entry.variant_methods else []


def default_variant(method: str, criterion: str) -> str:
    """Return the variant of a criterion that a step has unless another one is chosen.

    Parameters
    ----------
    method, criterion : str
        Names in ``METHODS`` and ``CRITERIA``.

    Returns
    -------
    str
        Key of ``Criterion.variants``; empty if there is only one.
    """
    return next(iter(variants_for(method, criterion)), "")


def default_grouping(method: str) -> str:
    """Return the grouping of a method that a step has unless another one is chosen.

    Parameters
    ----------
    method : str
        Name in ``METHODS``.

    Returns
    -------
    str
        Key of ``Method.groupings``; empty if the method has none.
    """
    return next(iter(METHODS[method].groupings), "")


def rules_for(method: str, criterion: str) -> list[str]:
    """Return the rules that are defined for a method and a criterion.

    Parameters
    ----------
    method, criterion : str
        Names in ``METHODS`` and ``CRITERIA``.

    Returns
    -------
    list of str
        Names in ``RULES``.
    """
    METHODS.require(method)
    entry = CRITERIA[criterion]
    names = []
    for name, rule in RULES.items():
        applies_to_criterion = not rule.criteria or criterion in rule.criteria
        applies_to_method = not rule.methods or method in rule.methods
        negative_scores = rule.needs_nonnegative and entry.can_be_negative
        if applies_to_criterion and applies_to_method and not negative_scores:
            names.append(name)
    return names


def scopes_for(rule: str, method: str) -> list[str]:
    """Return the scopes that make a difference for a rule and a method.

    Parameters
    ----------
    rule, method : str
        Names in ``RULES`` and ``METHODS``.

    Returns
    -------
    list of str
        Names in ``SCOPES``; ``global`` stands for all scopes that give the same selection.
    """
    entry = RULES[rule]
    if entry.patterns or not METHODS[method].competing_groups:
        return ["global"]
    valid = {*(entry.scopes or ("global",)), "custom"}
    if not METHODS[method].units_are_weights:  # densities are defined by the shapes of weights
        valid.discard("erk")
    return [name for name in SCOPES if name in valid]


def recoveries_for(network: str) -> list[str]:
    """Return the recoveries that change something in a network.

    Parameters
    ----------
    network : str
        Name in ``NETWORKS``.

    Returns
    -------
    list of str
        Names in ``RECOVERIES``, in the order in which they are applied.
    """
    has_norms = has_norm_per_convolution(network)
    return [name for name, entry in RECOVERIES.items() if has_norms or not entry.needs_batch_norm]


def canonical_recovery(recovery: Collection[str], network: str) -> tuple[str, ...]:
    """Check recoveries and bring them into the order in which they are applied.

    Parameters
    ----------
    recovery : collection of str
        Names in ``RECOVERIES``, in any order.
    network : str
        Name in ``NETWORKS``.

    Returns
    -------
    tuple of str
        Each name once, without those that a later one replaces.

    Raises
    ------
    ValueError
        A name that is not registered, or a recovery that changes nothing in the network.
    """
    offered = recoveries_for(network)
    replaced: set[str] = set()
    for name in recovery:
        entry = RECOVERIES.require(name)
        if name not in offered:
            raise ValueError(
                f"recovery {name!r} needs batch norms, which {network} does not have: "
                f"choose from {', '.join(offered)}"
            )
        replaced.update(entry.replaces)
    return tuple(name for name in offered if name in recovery and name not in replaced)


def groupings_for(network: str, method: str) -> list[str]:
    """Return the groupings of a method that differ in a network.

    Parameters
    ----------
    network, method : str
        Names in ``NETWORKS`` and ``METHODS``.

    Returns
    -------
    list of str
        Keys of ``Method.groupings``; empty if all of them give the same groups.
    """
    names = list(METHODS[method].groupings)
    if not METHODS[method].groups_by_network:
        return names
    names = _filled_groupings(network, method)
    if not names:
        return []
    first, *others = [dense_groups(network, method, name) for name in names]
    return names if any(found != first for found in others) else []


def layers_for(network: str, method: str, grouping: str) -> tuple[str, ...]:
    """Return the names of the groups that a step can choose from.

    Parameters
    ----------
    network, method : str
        Names in ``NETWORKS`` and ``METHODS``.
    grouping : str
        Key of ``Method.groupings``, or ``""``.

    Returns
    -------
    tuple of str
        In network order; the same for every image shape.
    """
    return tuple(dense_groups(network, method, grouping))


@lru_cache
def dense_groups(network: str, method: str, grouping: str) -> dict[str, UnitGroup]:
    """Return the groups of an untouched network, of the registry for images of 1 x 28 x 28.

    Parameters
    ----------
    network, method : str
        Names in ``NETWORKS`` and ``METHODS``.
    grouping : str
        Key of ``Method.groupings``, or ``""``.

    Returns
    -------
    dict of str to UnitGroup
        In network order.
    """
    model, channels, size = structure_of(network)
    return groups(model, method, grouping, channels, size)


@lru_cache
def has_norm_per_convolution(network: str) -> bool:
    """Return whether a network has as many batch norms as convolutions, and at least one.

    Parameters
    ----------
    network : str
        Name in ``NETWORKS``.

    Returns
    -------
    bool
        Whether criteria on the scales of batch norms are defined.
    """
    model, _, _ = structure_of(network)
    modules = list(model.modules())
    convolutions = sum(isinstance(module, nn.Conv2d) for module in modules)
    batch_norms = sum(isinstance(module, nn.BatchNorm2d) for module in modules)
    return batch_norms > 0 and batch_norms == convolutions


def canonical_step(step: Step, network: str) -> Step:
    """Check a step and bring it into its canonical form.

    Fields that make no difference to the result take their default, so that steps that differ in
    nothing else are equal. The value is kept in the scope ``custom``, even if every layer has a
    value of its own.

    Parameters
    ----------
    step : Step
        As given by a user.
    network : str
        Name in ``NETWORKS``.

    Returns
    -------
    Step
        With explicit variant and grouping, layers in network order or None for all of them.

    Raises
    ------
    ValueError
        A name that is not registered, names that do not go together, or a value out of range.
    """
    problem = find_incompatibility(step, network)
    if problem:
        raise ValueError(problem)
    rule, can_be_negative = RULES[step.rule], CRITERIA[step.criterion].can_be_negative
    rule.check(step.value, can_be_negative)
    for _, value in step.values:
        rule.check(value, can_be_negative)
    grouping = _canonical_grouping(step, network)
    names = layers_for(network, step.method, grouping)
    scopes = scopes_for(step.rule, step.method)
    layers = _canonical_layers(step, names)
    return replace(
        step,
        variant=step.variant or default_variant(step.method, step.criterion),
        grouping=grouping,
        scope=step.scope if step.scope in scopes else "global",
        value=rule.canonical(step.value),
        values=_canonical_values(step, layers or names),
        layers=layers,
    )


def find_incompatibility(step: Step, network: str) -> str | None:
    """Explain why a step cannot be applied to a network.

    Parameters
    ----------
    step : Step
        As given by a user; its values are not checked here.
    network : str
        Name in ``NETWORKS``.

    Returns
    -------
    str or None
        One sentence with the names that are valid instead; None if the step can be applied.

    Raises
    ------
    ValueError
        A name that is not registered.
    """
    METHODS.require(step.method)
    CRITERIA.require(step.criterion)
    RULES.require(step.rule)
    SCOPES.require(step.scope)
    return (
        _method_problem(step, network)
        or _criterion_problem(step, network)
        or _rule_problem(step)
        or _scope_problem(step)
        or _choice_problem("measure", step.variant, variants_for(step.method, step.criterion))
        or _choice_problem("grouping", step.grouping, METHODS[step.method].groupings)
        or _layers_problem(step, network)
        or _values_problem(step, network)
    )


def _method_problem(step: Step, network: str) -> str | None:
    if _filled_groupings(network, step.method):
        return None
    method, valid = METHODS[step.method], methods_for(network)
    return f"the network has no {method.unit}s that can be removed: choose from {', '.join(valid)}"


def _criterion_problem(step: Step, network: str) -> str | None:
    valid = criteria_for(network, step.method)
    if step.criterion in valid:
        return None
    if step.method in CRITERIA[step.criterion].applies_to:
        reason = f"needs a batch norm for every convolution, which {network} does not have"
    else:
        reason = f"does not score {METHODS[step.method].unit}s"
    return f"criterion {step.criterion!r} {reason}: choose from {', '.join(valid)}"


def _rule_problem(step: Step) -> str | None:
    valid = rules_for(step.method, step.criterion)
    if step.rule in valid:
        return None
    rule = RULES[step.rule]
    if rule.methods and step.method not in rule.methods:
        subject = f"{METHODS[step.method].unit}s"
    else:
        subject = f"criterion {step.criterion!r}"
    reason = rule.why_not or "its scores can be negative"
    names = ", ".join(valid)
    return f"rule {step.rule!r} does not go with {subject}: {reason}: choose from {names}"


def _scope_problem(step: Step) -> str | None:
    valid = scopes_for(step.rule, step.method)
    if step.scope in valid:
        return None
    if step.scope == "layer" and "global" in valid:
        return None  # one group, or each score is compared by itself: the selection is the same
    unit = METHODS[step.method].unit
    return (
        f"scope {step.scope!r} does not go with rule {step.rule!r} for {unit}s: "
        f"choose from {', '.join(valid)}"
    )


def _choice_problem(kind: str, name: str, valid: Collection[str]) -> str | None:
    if name == "" or name in valid:
        return None
    if not valid:
        return f"there is no {kind} to choose: leave out {name!r}"
    return f"unknown {kind} {name!r}: choose from {', '.join(valid)}"


def _layers_problem(step: Step, network: str) -> str | None:
    if step.layers is None:
        return None
    names = layers_for(network, step.method, _canonical_grouping(step, network))
    if not step.layers or isinstance(step.layers, str):
        return f"no layer chosen: choose from {', '.join(names)}"
    return _unknown_layer(step.layers, names, network)


def _values_problem(step: Step, network: str) -> str | None:
    if not step.values:
        return None
    if step.scope != "custom":
        return f"values of single layers go with the scope 'custom', not {step.scope!r}"
    names = layers_for(network, step.method, _canonical_grouping(step, network))
    return _unknown_layer(dict(step.values), names, network)


def _unknown_layer(given: Collection[str], names: tuple[str, ...], network: str) -> str | None:
    for name in given:
        if name not in names:
            return f"unknown layer {name!r} of {network}: choose from {', '.join(names)}"
    return None


def _canonical_grouping(step: Step, network: str) -> str:
    if step.grouping in groupings_for(network, step.method):
        return step.grouping
    usual = default_grouping(step.method)
    filled = _filled_groupings(network, step.method)
    is_empty = bool(filled) and not dense_groups(network, step.method, usual)
    return filled[0] if is_empty else usual


def _canonical_layers(step: Step, names: tuple[str, ...]) -> tuple[str, ...] | None:
    if step.layers is None:
        return None
    chosen = tuple(name for name in names if name in step.layers)
    return None if chosen == names else chosen


def _canonical_values(step: Step, names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    given = dict(step.values)
    differing = [name for name in names if given.get(name, step.value) != step.value]
    return tuple((name, float(given[name])) for name in differing)
