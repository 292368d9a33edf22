"""What to do, as one frozen value: the cache key, the link, the saved file and the argument of every experiment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from pruning.criteria import CRITERIA
from pruning.datasets import DATASETS
from pruning.networks import NETWORKS, layer_names
from pruning.rules import RULES, SCOPES
from pruning.units import METHODS


@dataclass(frozen=True)
class Recipe:
    """One pruning of one network.

    ``layers`` take part (None: all; kept in network order). ``images`` is how many of the test images are
    classified, the first ones (None: all).

    Raises
    ------
    ValueError : a name that is not registered, names that do not go together, or a number out of its range.
    """

    network: str = "lenet5"
    dataset: str = "mnist"
    method: str = "weight"
    criterion: str = "magnitude"
    scope: str = "global"
    rule: str = "sparsity"
    value: float = 0.5
    layers: tuple[str, ...] | None = None
    images: int | None = None
    seed: int = 0

    def __post_init__(self):
        NETWORKS[self.network], DATASETS[self.dataset], METHODS[self.method], SCOPES[self.scope]
        valid = criteria_for(self.method)
        if CRITERIA[self.criterion].name not in valid:
            raise ValueError(f"criterion {self.criterion!r} does not score {METHODS[self.method].unit}s: "
                             f"choose from {', '.join(valid)}")
        valid = rules_for(self.criterion)
        if RULES[self.rule].name not in valid:
            raise ValueError(f"rule {self.rule!r} does not go with criterion {self.criterion!r}: "
                             f"choose from {', '.join(valid)}")
        RULES[self.rule].check(self.value)
        object.__setattr__(self, "value", float(self.value))
        self._check_layers()
        total = DATASETS[self.dataset].test_images
        if self.images is not None:
            if not _whole(self.images) or not 1 <= self.images <= total:
                raise ValueError(f"images must be a whole number from 1 to {total}, not {self.images}")
            if self.images == total:
                object.__setattr__(self, "images", None)
        if not _whole(self.seed) or not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be a whole number from 0 to {2**32 - 1}, not {self.seed}")

    def _check_layers(self) -> None:
        if self.layers is None:
            return
        names = layer_names(self.network)
        if not self.layers or isinstance(self.layers, str):
            raise ValueError(f"no layer chosen: choose from {', '.join(names)}")
        for name in self.layers:
            if name not in names:
                raise ValueError(f"unknown layer {name!r} of {self.network}: choose from {', '.join(names)}")
        chosen = tuple(name for name in names if name in self.layers)
        object.__setattr__(self, "layers", None if chosen == names else chosen)

    @property
    def chosen_layers(self) -> tuple[str, ...]:
        return self.layers or layer_names(self.network)

    @property
    def key(self) -> "Recipe":
        """The recipe by which results are remembered: without what makes no difference to them."""
        return replace(self, seed=self.seed if CRITERIA[self.criterion].seeded else 0,
                       scope=self.scope if RULES[self.rule].scopes else "global")

    def to_dict(self) -> dict:
        """For JSON: every field; ``layers`` spelled out."""
        return asdict(self) | {"layers": list(self.chosen_layers)}

    @classmethod
    def from_dict(cls, values: Mapping) -> "Recipe":
        known = {f.name for f in fields(cls)}
        for name in values:
            if name not in known:
                raise ValueError(f"unknown recipe field {name!r}: choose from {', '.join(sorted(known))}")
        layers = values.get("layers")
        if layers is not None and not (isinstance(layers, list | tuple) and all(isinstance(n, str) for n in layers)):
            raise ValueError("layers must be a list of names")
        return cls(**{**values, "layers": None if layers is None else tuple(layers)})

    def to_query(self) -> dict[str, str]:
        """For a link, in the words of the command line: ``network=lenet5&...&sparsity=0.9``."""
        query = {name: getattr(self, name) for name in ("network", "dataset", "method", "criterion", "scope")}
        query[self.rule] = repr(self.value)
        if self.layers:
            query["layers"] = ",".join(self.layers)
        return query | ({"seed": str(self.seed)} if self.seed else {})

    @classmethod
    def from_query(cls, query: Mapping[str, str], default: "Recipe") -> "Recipe":
        """The recipe of a link; what the link does not say is as in ``default``. Other keys are passed over.

        Raises
        ------
        ValueError : as above, or two rules at once, or a number that cannot be read.
        """
        values = {name: query[name] for name in ("network", "dataset", "method", "criterion", "scope") if name in query}
        rules = [name for name in RULES if name in query]
        if len(rules) > 1:
            raise ValueError(f"a link can have one rule, not {' and '.join(rules)}")
        if rules:
            values |= {"rule": rules[0], "value": _number(rules[0], query[rules[0]], float)}
        if "seed" in query:
            values["seed"] = _number("seed", query["seed"], int)
        if "layers" in query:
            values["layers"] = [name for name in query["layers"].split(",") if name]
        return cls.from_dict({**default.to_dict(), "layers": None, **values})


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(name: str, text: str, kind: type) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, not {text!r}") from None


def criteria_for(method: str) -> list[str]:
    """The criteria that can score a method's units."""
    return [name for name, criterion in CRITERIA.items() if METHODS[method].name in criterion.applies_to]


def rules_for(criterion: str) -> list[str]:
    """The rules that make sense for a criterion."""
    return [name for name, rule in RULES.items() if not rule.criteria or CRITERIA[criterion].name in rule.criteria]
