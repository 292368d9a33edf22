"""Cards of checkpoints."""

import dataclasses
import json

import pytest

from pruning.models import cards, checkpoints


def test_shipped_cards_agree_with_their_counts():
    for network, dataset in checkpoints.shipped():
        card = checkpoints.shared_card(network, dataset)
        assert (card.network, card.dataset) == (network, dataset)
        assert card.test_accuracy == pytest.approx(card.test_correct / card.test_images, abs=1e-9)


def test_a_card_is_json_of_its_fields():
    card = checkpoints.shared_card("lenet5", "digits")
    content = json.loads(json.dumps(dataclasses.asdict(card)))
    assert cards.Card(**content) == card
