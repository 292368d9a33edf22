"""The stored form of an evaluation: JSON values that are validated when they are read."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pruning.cost.macs import Cost
from pruning.engine.evaluation import Evaluation
from pruning.inference.accuracy import Tally


@dataclass(frozen=True)
class StoredResult:
    """A result as it is stored.

    Parameters
    ----------
    tally : Tally
        Result of the images that were classified.
    total : int
        Number of images in the split.
    sparsity, removed_share : float
        As of `Evaluation`.
    effective : Cost or None
        As of `Evaluation`; None if it was not known.
    masked : Cost or None
        As of `Evaluation`; None in results of the first edition.
    is_unfinished : bool
        Whether more images were to be classified: a longer result replaces this one.
    recovery_seconds : float or None
        As of `Evaluation`.
    """

    tally: Tally
    total: int
    sparsity: float
    removed_share: float
    effective: Cost | None
    masked: Cost | None
    is_unfinished: bool
    recovery_seconds: float | None = None

    @classmethod
    def of(cls, evaluation: Evaluation, *, is_unfinished: bool) -> "StoredResult":
        """Make the stored form of an evaluation.

        Parameters
        ----------
        evaluation : Evaluation
            The evaluation.
        is_unfinished : bool
            Whether more images were to be classified.

        Returns
        -------
        StoredResult
            The stored form.
        """
        return cls(
            tally=evaluation.tally,
            total=evaluation.total,
            sparsity=evaluation.sparsity,
            removed_share=evaluation.removed_share,
            effective=evaluation.known_effective,
            masked=evaluation.masked,
            is_unfinished=is_unfinished,
            recovery_seconds=evaluation.recovery_seconds,
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values.

        Returns
        -------
        dict
            Without what is not known; ``parameters`` and ``macs`` are the effective ones, and
            ``hits`` is hexadecimal.
        """
        content = {
            "total": self.total,
            "sparsity": self.sparsity,
            "share": self.removed_share,
            "class_correct": list(self.tally.class_correct),
            "loss": self.tally.loss,
            "images": self.tally.images,
            "open": self.is_unfinished,
        }
        if self.tally.hits is not None:
            content["hits"] = f"{self.tally.hits:x}"
        if self.effective is not None:
            content["parameters"] = self.effective.parameters
            content["macs"] = self.effective.macs
        if self.masked is not None:
            content["masked_parameters"] = self.masked.parameters
            content["masked_macs"] = self.masked.macs
        if self.recovery_seconds is not None:
            content["recovery_seconds"] = self.recovery_seconds
        return content

    @classmethod
    def from_dict(cls, content: object, classes: int) -> "StoredResult":
        """Read and validate a result.

        Parameters
        ----------
        content : object
            JSON values.
        classes : int
            Number of classes of the dataset.

        Returns
        -------
        StoredResult
            The result.

        Raises
        ------
        ValueError
            A field is missing, has the wrong type or is out of range, or the counts of the
            classes do not agree with the number of images or of hits.
        """
        if not isinstance(content, Mapping):
            raise ValueError("a result must be an object")
        total = _count(content, "total", 1)
        images = _count(content, "images", 1, total)
        class_correct = content.get("class_correct")
        if not isinstance(class_correct, list) or len(class_correct) != classes:
            raise ValueError(f"class_correct must be a list of {classes} numbers")
        correct = [
            _count({"class_correct": count}, "class_correct", 0, images) for count in class_correct
        ]
        if sum(correct) > images:
            raise ValueError("class_correct adds up to more than images")
        is_unfinished = content.get("open", False)
        if not isinstance(is_unfinished, bool):
            raise ValueError("open must be true or false")
        loss = _number(content, "loss", 0.0, sys.float_info.max)
        return cls(
            tally=Tally(tuple(correct), loss, images, _hits(content, sum(correct), images)),
            total=total,
            sparsity=_number(content, "sparsity", 0.0, 1.0),
            removed_share=_number(content, "share", 0.0, 1.0),
            effective=_cost(content, "parameters", "macs"),
            masked=_cost(content, "masked_parameters", "masked_macs"),
            is_unfinished=is_unfinished,
            recovery_seconds=_optional_seconds(content),
        )


def _hits(content: Mapping[str, Any], correct: int, images: int) -> int | None:
    text = content.get("hits")
    if text is None:
        return None
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]+", text):
        raise ValueError("hits must be a hexadecimal number")
    hits = int(text, 16)
    if hits.bit_length() > images or hits.bit_count() != correct:
        raise ValueError("hits do not agree with class_correct")
    return hits


def _optional_seconds(content: Mapping[str, Any]) -> float | None:
    if "recovery_seconds" not in content:
        return None
    return _number(content, "recovery_seconds", 0.0, sys.float_info.max)


def _cost(content: Mapping[str, Any], parameters: str, macs: str) -> Cost | None:
    if parameters not in content:
        return None
    return Cost(_count(content, parameters, 0), _count(content, macs, 0))


def _count(content: Mapping[str, Any], name: str, least: int, most: int | None = None) -> int:
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}")
    if most is not None and value > most:
        raise ValueError(f"{name} must be at most {most}")
    return value


def _number(content: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}")
    return float(value)
