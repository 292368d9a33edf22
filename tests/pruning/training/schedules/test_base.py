import pytest

from pruning.training.schedules import SCHEDULES
from pruning.training.schedules.base import Option

NUMBER = Option("interval", "", "", default=10, least=1, most=100, is_whole=True)
CHOICE = Option("penalty", "", "", default="l1", choices=("l1", "l2"))


@pytest.mark.parametrize("value, expected", [(5, 5), ("7", 7), (100.0, 100)])
def test_numbers_are_parsed(value, expected):
    parsed = NUMBER.parse(value)
    assert parsed == expected and isinstance(parsed, int)


@pytest.mark.parametrize("value", [0, 101, "x", "nan", 1.5, None, [], "1e400"])
def test_bad_numbers_are_refused_with_what_is_valid(value):
    with pytest.raises(ValueError, match="interval must be a whole number from 1 to 100"):
        NUMBER.parse(value)


def test_choices_are_checked():
    assert CHOICE.parse("l2") == "l2"
    with pytest.raises(ValueError, match="penalty must be one of l1, l2"):
        CHOICE.parse("l3")


def test_an_unknown_option_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="its options are interval, pruning_share"):
        SCHEDULES["gradual"].option("speed")
    with pytest.raises(ValueError, match="its options are none"):
        SCHEDULES["finetune"].option("speed")


@pytest.mark.parametrize("name", SCHEDULES)
def test_defaults_are_valid_and_everything_is_described(name):
    schedule = SCHEDULES[name]
    assert schedule.label and schedule.source and schedule.help
    for option in schedule.options:
        assert option.parse(option.default) == option.default
        assert option.label and option.help
