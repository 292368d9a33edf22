"""What to do, as one frozen value: the cache key, the link, the saved file and the argument of every experiment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from pruning.data.datasets import DATASETS
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES, SCOPES, Value, scopes_for
from pruning.methods.units import METHODS, groupings_for, groups_of
from pruning.models import NETWORKS
from pruning.models.channel_groups import has_norms

CALIBRATION = 1024
STEPS = 6


@dataclass(frozen=True, kw_only=True)
class Step:
    """One pruning of what the steps before have left.

    ``measure`` is the criterion's variant and ``grouping`` the method's way to put units together, "" for the first one.
    ``values`` overrule ``value`` in the scope ``custom``: pairs of a group's name and its value. ``layers`` are the groups
    that take part (None: all).

    Raises
    ------
    ValueError : a name that is not registered, names that do not go together, or a number out of its range.
    """

    method: str = "weight"
    criterion: str = "magnitude"
    measure: str = ""
    grouping: str = ""
    scope: str = "global"
    rule: str = "sparsity"
    value: Value = 0.5
    values: tuple[tuple[str, float], ...] = ()
    layers: tuple[str, ...] | None = None

    def _check_step(self, network: str) -> dict:
        """The fields of the step in their canonical form."""
        METHODS[self.method], CRITERIA[self.criterion], RULES[self.rule], SCOPES[self.scope]
        unit = METHODS[self.method].unit
        _among(
            self.criterion,
            criteria_for(network, self.method),
            f"criterion {self.criterion!r} "
            + (
                f"does not score {unit}s"
                if self.method not in CRITERIA[self.criterion].applies_to
                else f"needs batch norms, and {network} has none"
            ),
        )
        rule = RULES[self.rule]
        _among(
            self.rule,
            rules_for(self.method, self.criterion),
            f"rule {self.rule!r} does not go with "
            + (
                f"{unit}s"
                if rule.methods and self.method not in rule.methods
                else f"criterion {self.criterion!r}"
            )
            + f": {'its scores can be negative' if rule.needs_nonnegative and not rule.why_not else rule.why_not}",
        )
        if not (
            self.scope == "layer" and "global" in scopes_for(self.rule, self.method)
        ):  # it makes no difference
            _among(
                self.scope,
                scopes_for(self.rule, self.method),
                f"scope {self.scope!r} does not go with rule {self.rule!r} for {unit}s",
            )
        rule.check(self.value)
        measure = _one_of("measure", self.measure, variants_for(self.method, self.criterion))
        grouping = _one_of("grouping", self.grouping, list(METHODS[self.method].groupings))
        names = tuple(groups_of(network, self.method, grouping))
        return {
            "value": rule.plain(self.value) if rule.patterns else float(self.value),
            "measure": measure,
            "grouping": grouping,
            "layers": self._chosen(names, network),
            "values": self._checked_values(names, network),
        }

    def _chosen(self, names: tuple[str, ...], network: str) -> tuple[str, ...] | None:
        if self.layers is None:
            return None
        if not self.layers or isinstance(self.layers, str):
            raise ValueError(f"no layer chosen: choose from {', '.join(names)}")
        _known(self.layers, names, network)
        chosen = tuple(name for name in names if name in self.layers)
        return None if chosen == names else chosen

    def _checked_values(
        self, names: tuple[str, ...], network: str
    ) -> tuple[tuple[str, float], ...]:
        if not self.values:
            return ()
        if self.scope != "custom":
            raise ValueError(
                f"values of single layers go with the scope 'custom', not {self.scope!r}"
            )
        given = dict(self.values)
        _known(given, names, network)
        for value in given.values():
            RULES[self.rule].check(value)
        return tuple(
            (name, float(given[name]))
            for name in names
            if name in given and given[name] != self.value
        )

    def step_dict(self) -> dict:
        """For JSON; ``values`` as an object, ``layers`` None for all."""
        told = {f.name: getattr(self, f.name) for f in fields(Step)}
        return told | {
            "values": dict(self.values),
            "layers": None if self.layers is None else list(self.layers),
        }


STEP = tuple(f.name for f in fields(Step))


@dataclass(frozen=True)
class Recipe(Step):
    """A pruning of a network: its last step (or only one), and the steps before it.

    ``calibration`` is how many training images criteria look at. ``images`` is how many of the test images are
    classified, the first ones (None: all).
    """

    network: str = "lenet5"
    dataset: str = "mnist"
    earlier: tuple[Step, ...] = ()
    calibration: int = CALIBRATION
    images: int | None = None
    seed: int = 0

    def __post_init__(self):
        NETWORKS[self.network], DATASETS[self.dataset]
        if len(self.earlier) >= STEPS:
            raise ValueError(f"a recipe has at most {STEPS} steps, not {len(self.earlier) + 1}")
        self._set(self._check_step(self.network))
        self._set(
            {
                "earlier": tuple(
                    replace(step, **step._check_step(self.network)) for step in self.earlier
                )
            }
        )
        data = DATASETS[self.dataset]
        if self.images is not None:
            _check_whole("images", self.images, 1, data.test_images)
            if self.images == data.test_images:
                self._set({"images": None})
        _check_whole("calibration", self.calibration, 1, max_calibration_images(self.dataset))
        _check_whole("seed", self.seed, 0, 2**32 - 1)

    def _set(self, values: Mapping) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def chosen_layers(self) -> tuple[str, ...]:
        """The groups that take part, by name."""
        return self.layers or tuple(groups_of(self.network, self.method, self.grouping))

    @property
    def step(self) -> Step:
        """The last step by itself."""
        return Step(**{name: getattr(self, name) for name in STEP})

    @property
    def steps(self) -> tuple[Step, ...]:
        return (*self.earlier, self.step)

    def with_steps(self, steps: tuple[Step, ...]) -> "Recipe":
        *earlier, last = steps
        return replace(self, earlier=tuple(earlier), **{name: getattr(last, name) for name in STEP})

    @property
    def before(self) -> "Recipe | None":
        """The recipe without its last step."""
        return self.with_steps(self.earlier) if self.earlier else None

    @property
    def key(self) -> "Recipe":
        """The recipe by which results are remembered: without what makes no difference to them."""
        steps = [_key_of(step, self.network) for step in self.steps]
        looks = any(
            CRITERIA[step.criterion].needs_data or step.method == "layer" for step in steps
        )  # a refit looks, too
        return replace(
            self.with_steps(tuple(steps)),
            seed=self.seed if any(CRITERIA[step.criterion].is_random for step in steps) else 0,
            calibration=self.calibration if looks else CALIBRATION,
        )

    @property
    def scoring(self) -> "Recipe":
        """The recipe by which the scores of the last step are remembered: however many they then remove."""
        return replace(
            self.key,
            rule="sparsity",
            value=0.0,
            values=(),
            scope="global",
            layers=None,
            images=None,
        )

    def to_dict(self) -> dict:
        """For JSON: every field; the step's among them where there is only one, else a list ``steps``."""
        about = {
            name: getattr(self, name)
            for name in ("network", "dataset", "calibration", "images", "seed")
        }
        if self.earlier:
            return about | {"steps": [step.step_dict() for step in self.steps]}
        return about | self.step_dict() | {"layers": list(self.chosen_layers)}

    @classmethod
    def from_dict(cls, values: Mapping) -> "Recipe":
        """The recipe of `to_dict`; what is missing is as in a new `Recipe`.

        Raises
        ------
        ValueError : as above, or a field that no recipe has, or one of the wrong type.
        """
        if not isinstance(values, Mapping):
            raise ValueError("a recipe is an object with fields like network, method and sparsity")
        values = dict(values)
        steps = values.pop("steps", None)
        known = (
            {f.name for f in fields(cls)}
            - {"earlier"}
            - (set(STEP) if steps is not None else set())
        )
        _fields("recipe", values, known if steps is not None else known | {"steps"})
        if steps is None:
            return cls(**{**values, **_step_values(values)})
        if not isinstance(steps, list) or not 1 <= len(steps) <= STEPS:
            raise ValueError(f"steps must be a list of 1 to {STEPS} steps")
        read = []
        for step in steps:
            if not isinstance(step, Mapping):
                raise ValueError(
                    "a step is an object with fields like method, criterion, rule and value"
                )
            _fields("step", step, set(STEP))
            read.append(Step(**{**step, **_step_values(step)}))
        *earlier, last = read
        return cls(**values, earlier=tuple(earlier), **{name: getattr(last, name) for name in STEP})

    def to_query(self) -> dict[str, str]:
        """For a link, in the words of the command line: ``network=lenet5&...&sparsity=0.9``."""
        query = {
            name: getattr(self, name)
            for name in ("network", "dataset", "method", "criterion", "scope")
        }
        query[self.rule] = self.value if isinstance(self.value, str) else repr(self.value)
        usual = {
            "measure": variants_for(self.method, self.criterion),
            "grouping": list(METHODS[self.method].groupings),
        }
        query |= {
            name: getattr(self, name)
            for name, first in usual.items()
            if getattr(self, name) not in first[:1] + [""]
        }
        if self.layers:
            query["layers"] = ",".join(self.layers)
        if self.values:
            query["values"] = ",".join(f"{name}={value!r}" for name, value in self.values)
        if self.earlier:
            query["earlier"] = json.dumps(
                [
                    {
                        name: value
                        for name, value in step.step_dict().items()
                        if value not in (None, {}, "")
                    }
                    for step in self.earlier
                ],
                separators=(",", ":"),
            )
        return query | {
            name: str(getattr(self, name))
            for name, usual in (("calibration", CALIBRATION), ("seed", 0))
            if getattr(self, name) != usual
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str], default: "Recipe") -> "Recipe":
        """The recipe of a link; what the link does not say is as in ``default``. Other keys are passed over.

        Raises
        ------
        ValueError : as above, or two rules at once, or a number that cannot be read.
        """
        words = ("network", "dataset", "method", "criterion", "scope", "measure", "grouping")
        values = {name: query[name] for name in words if name in query}
        rules = [name for name in RULES if name in query]
        if len(rules) > 1:
            raise ValueError(f"a link can have one rule, not {' and '.join(rules)}")
        if rules:
            text = query[rules[0]]
            values |= {
                "rule": rules[0],
                "value": text if RULES[rules[0]].patterns else _number(rules[0], text, float),
            }
        values |= {
            name: _number(name, query[name], int)
            for name in ("seed", "calibration")
            if name in query
        }
        if "layers" in query:
            values["layers"] = [name for name in query["layers"].split(",") if name]
        if "values" in query:
            values["values"] = read_values(query["values"])
        usual = {**default.to_dict(), "layers": None, "measure": "", "grouping": "", "values": {}}
        usual |= (
            {
                "criterion": criteria_for(values.get("network", default.network), values["method"])[
                    0
                ],
                "scope": "global",
            }
            if "method" in values
            else {}
        )
        if not query.get("earlier"):
            return cls.from_dict({**usual, **values})
        try:
            earlier = json.loads(query["earlier"])
        except (ValueError, RecursionError):
            raise ValueError("the earlier steps of the link cannot be read") from None
        if not isinstance(earlier, list):
            raise ValueError("the earlier steps must be a list")
        both = {**usual, **values}
        last = {name: both.pop(name) for name in STEP if name in both}
        return cls.from_dict({**both, "steps": [*earlier, last]})


def read_values(text: str) -> dict[str, float]:
    """Of ``conv1=0.3,fc1=0.9``."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    return {
        name.strip(): _number(f"the value of {name.strip()}", number, float)
        for name, _, number in pairs
    }


def _step_values(step: Mapping) -> dict:
    """``layers`` and ``values`` of JSON, as a step has them."""
    layers, values = step.get("layers"), step.get("values") or {}
    if layers is not None and not (
        isinstance(layers, list | tuple) and all(isinstance(n, str) for n in layers)
    ):
        raise ValueError("layers must be a list of names")
    if not isinstance(values, Mapping):
        raise ValueError("values must be an object of layers and their values")
    return {"layers": None if layers is None else tuple(layers), "values": tuple(values.items())}


def _key_of(step: Step, network: str) -> Step:
    scopes = scopes_for(step.rule, step.method)
    groupings = groupings_for(network, step.method)
    return replace(
        step,
        scope=step.scope if step.scope in scopes else "global",
        grouping=step.grouping
        if step.grouping in groupings
        else next(iter(METHODS[step.method].groupings), ""),
    )


def _fields(kind: str, values: Mapping, known: set[str]) -> None:
    for name in values:
        if name not in known:
            raise ValueError(
                f"unknown {kind} field {name!r}: choose from {', '.join(sorted(known))}"
            )


def _among(name: str, valid: list[str], problem: str) -> None:
    if name not in valid:
        raise ValueError(f"{problem}: choose from {', '.join(valid)}")


def _one_of(kind: str, name: str, valid: list[str]) -> str:
    if not valid and name:
        raise ValueError(f"there is no {kind} to choose here, not even {name!r}")
    if valid and name and name not in valid:
        raise ValueError(f"unknown {kind} {name!r}: choose from {', '.join(valid)}")
    return name or (valid[0] if valid else "")


def _known(given, names: tuple[str, ...], network: str) -> None:
    for name in given:
        if name not in names:
            raise ValueError(f"unknown layer {name!r} of {network}: choose from {', '.join(names)}")


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(
            f"{name} must be a whole number from {least} to {most}, not {str(value)[:30]}"
        )


def _number(name: str, text: str, kind: type) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, not {text!r}") from None


def max_calibration_images(dataset: str) -> int:
    """More would take everybody's time and memory, and tell no more."""
    return min(10_000, DATASETS[dataset].train_images - DATASETS[dataset].validation_images)


def criteria_for(network: str, method: str) -> list[str]:
    """The criteria that can score a method's units in a network."""
    return [
        name
        for name, criterion in CRITERIA.items()
        if METHODS[method].name in criterion.applies_to
        and (not criterion.needs_batch_norm or has_norms(network))
    ]


def variants_for(method: str, criterion: str) -> list[str]:
    return (
        list(CRITERIA[criterion].variants) if method in CRITERIA[criterion].variant_methods else []
    )


def rules_for(method: str, criterion: str) -> list[str]:
    """The rules that make sense for a method and a criterion."""
    return [
        name
        for name, rule in RULES.items()
        if (not rule.criteria or CRITERIA[criterion].name in rule.criteria)
        and (not rule.methods or METHODS[method].name in rule.methods)
        and not (rule.needs_nonnegative and CRITERIA[criterion].can_be_negative)
    ]
