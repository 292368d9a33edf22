"""What is on this machine, with the built-in data alone."""

import pytest

from pages.state.available import (
    available_checkpoints,
    check_available,
    check_names,
    default_pair,
)

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_networks_have_a_checkpoint_and_data():
    found = available_checkpoints()
    assert set(found["lenet5"]) == {"digits"}
    assert "resnet56" not in found
    assert default_pair() == ("lenet5", "digits")


def test_a_pair_that_is_not_here_is_answered_with_those_that_are():
    check_available("lenet5", "digits")
    with pytest.raises(ValueError, match=r"^MNIST is not on this machine: choose from lenet300 on"):
        check_available("lenet5", "mnist")
    with pytest.raises(ValueError, match=r"^Digits has no checkpoint for ResNet-56: choose from"):
        check_available("resnet56", "digits")


@pytest.mark.parametrize(
    "content",
    [
        *({}, [], None, "text", {"method": "x"}),
        *({"network": "resnet56"}, {"dataset": "mnist"}),  # known, if not on this machine
    ],
)
def test_other_content_is_left_to_its_reader(content):
    check_names(content)


@pytest.mark.parametrize(
    "content, quoted",
    [
        ({"network": "vgg"}, "unknown network 'vgg': choose from lenet300, "),
        ({"network": ["lenet5"]}, "unknown network ['lenet5']: choose from lenet300, "),
        ({"network": None}, "unknown network None: choose from lenet300, "),
        ({"dataset": "x" * 999}, "unknown dataset 'xxx"),
        ({"dataset": {"a": 1}}, "unknown dataset {'a': 1}: choose from digits"),
    ],
)
def test_unknown_names_are_answered_with_those_on_this_machine(content, quoted):
    with pytest.raises(ValueError) as error:
        check_names(content)
    assert str(error.value).startswith(quoted)
    assert "resnet56" not in str(error.value)
    assert len(str(error.value)) < 200
