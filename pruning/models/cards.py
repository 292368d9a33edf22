"""Cards of checkpoints: how a network was trained, and the accuracy that it reaches."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pruning.runtime.json_reader import parse_json


@dataclass(frozen=True)
class Card:
    """How a checkpoint was trained, and the accuracy that it reaches.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.
    test_accuracy
        Accuracy on the full test split, as a fraction.
    test_correct, test_images
        Number of correctly classified test images, and of all test images.
    validation_accuracy
        Accuracy on the full validation split, as a fraction.
    epochs, batch, optimizer, schedule, augmentation, precision, seed
        Settings of the training.
    versions
        Versions of the software, by name.
    seconds
        Duration of the training.
    weights_sha256
        Hash of the safetensors file, hexadecimal.
    train_data_sha256
        `pruning.data.datasets.fingerprint` of the training images.
    """

    network: str
    dataset: str
    test_accuracy: float
    test_correct: int
    test_images: int
    validation_accuracy: float
    epochs: int
    batch: int
    optimizer: str
    schedule: str
    augmentation: str
    precision: str
    seed: int
    versions: dict[str, str]
    seconds: float
    weights_sha256: str
    train_data_sha256: str


class InvalidCard(Exception):
    """The content of a card is not valid; the message describes the problem."""


def parse_card(text: str) -> Card:
    """Parse and validate the text of a card.

    Parameters
    ----------
    text
        A JSON object with the fields of `Card`; other fields are ignored.

    Returns
    -------
    Card
        The card.

    Raises
    ------
    InvalidCard
        If the text is not such an object, or a value is not possible.
    """
    try:
        content = parse_json(text, "it")
    except ValueError as error:
        raise InvalidCard(str(error)) from None
    if not isinstance(content, dict):
        raise InvalidCard("it is not a JSON object")
    _validate_types(content)
    parsed = Card(**{field.name: content[field.name] for field in fields(Card)})
    _validate_values(parsed)
    return parsed


def _validate_types(content: Mapping[str, Any]) -> None:
    for field in fields(Card):
        if field.name not in content:
            raise InvalidCard(f"{field.name} is missing")
        value = content[field.name]
        if field.type is str and not isinstance(value, str):
            raise InvalidCard(f"{field.name} is not text")
        if field.type is int and not _is_integer(value):
            raise InvalidCard(f"{field.name} is not a whole number")
        if field.type is float and not _is_finite(value):
            raise InvalidCard(f"{field.name} is not a finite number")
    versions = content["versions"]
    if not isinstance(versions, dict):
        raise InvalidCard("versions is not a JSON object")
    for version in versions.values():
        if not isinstance(version, str):
            raise InvalidCard("versions has a value that is not text")


def _validate_values(parsed: Card) -> None:
    for name in ("test_accuracy", "validation_accuracy"):
        accuracy = getattr(parsed, name)
        if not 0 <= accuracy <= 1:
            raise InvalidCard(f"{name} is not between 0 and 1")
    for name in ("test_images", "epochs", "batch"):
        if getattr(parsed, name) < 1:
            raise InvalidCard(f"{name} is less than 1")
    for name in ("test_correct", "seconds"):
        if getattr(parsed, name) < 0:
            raise InvalidCard(f"{name} is negative")
    if parsed.test_correct > parsed.test_images:
        raise InvalidCard("test_correct is greater than test_images")
    if not math.isclose(
        parsed.test_accuracy, parsed.test_correct / parsed.test_images, abs_tol=1e-6
    ):
        raise InvalidCard("test_accuracy is not test_correct / test_images")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of a float
        return False
