"""Files that commands read: whatever is wrong with them is one line without Python's words."""

import pytest

from pruning.cli.options import read_recipes, to_flag
from tests.pruning.cli.common import PRUNE_SMALL, error_of, write_json

DEEP = "[" * 10_000 + "]" * 10_000
LONG_NUMBER = "9" * 5_000
BAD_RECIPES = [
    (b"\x80\x81\x00\xff", "is not JSON: it is not UTF-8 text"),
    (b"\0" * 10, "is not JSON (line 1, column 1)"),
    (b"", "is not JSON (line 1, column 1)"),
    (b"{", "is not JSON (line 1, column 2)"),
    (DEEP, "is nested too deeply"),
    ('{"method": ' + "[" * 49 + "]" * 49 + "}", "unknown method"),
    ('{"method": ' + "[" * 50 + "]" * 50 + "}", "is nested too deeply"),
    ('{"method": ' + "[" * 990 + "]" * 990 + "}", "is nested too deeply"),
    ('{"seed": ' + LONG_NUMBER + "}", "is not JSON: it holds a number that JSON does not have"),
    ('{"seed": ' + LONG_NUMBER[:4_000] + "}", "not a number of more than 18 digits"),
    ('{"seed": true}', "seed must be a whole number"),
    ('{"seed": "1"}', "seed must be a whole number from 0 to 4294967295, not '1'"),
    ('{"value": NaN}', "is not JSON: it holds a number that JSON does not have"),
    ('{"value": "0.5"}', "sparsity must be a number between 0 and 1, not '0.5'"),
    ('{"value": null}', "sparsity must be a number between 0 and 1"),
    ('{"network": 5}', "unknown network 5: choose from"),
    ('{"network": "a\\nb"}', "unknown network"),
    ('{"network": "' + "x" * 5_000 + '"}', "unknown network 'xxxxx"),
    ('{"dataset": {}}', "unknown dataset {}: choose from"),
    ('{"images": 1e5}', "images must be a whole number"),
    ('{"layers": [5]}', "layers must be a list of names"),
    ('{"measure": []}', "measure must be text"),
    ('{"rule": null}', "unknown rule None"),
]
BAD_COMPARISONS = [
    ('{"columns": 5}', "columns must be a list"),
    ('{"columns": [null]}', "a column is an object with a recipe"),
    ('{"columns": []}', "a comparison is a list of 1 to 6 recipes"),
    ('{"columns": [{"recipe": 5}]}', "a recipe is an object"),
    ('{"columns": [{"recipe": {}}], "budget": 5}', "a budget is an object"),
    ("3", "must hold a recipe, a list of steps or a comparison"),
    ("null", "must hold a recipe, a list of steps or a comparison"),
]
PYTHON_WORDS = ("object has no", "NoneType", "int()", "codec", "recursion", "Expecting", "Errno")


def check_message(message: str, expected: str) -> None:
    assert expected in message
    assert len(message) < 400
    for word in PYTHON_WORDS:
        assert word not in message


def write(path, content) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize("content, expected", BAD_RECIPES)
def test_bad_recipe_files(capsys, tmp_path, content, expected):
    file = write(tmp_path / "r.json", content)
    check_message(error_of(capsys, "prune", "--steps", file), expected)
    check_message(error_of(capsys, "compare", file), expected)
    check_message(error_of(capsys, "curve", "--recipe", file), expected)


@pytest.mark.parametrize("content, expected", BAD_COMPARISONS)
def test_bad_comparison_files(capsys, tmp_path, content, expected):
    file = write(tmp_path / "c.json", content)
    check_message(error_of(capsys, "compare", file), expected)


def test_long_numbers_on_the_command_line_are_shortened(capsys):
    message = error_of(capsys, *PRUNE_SMALL, "--sparsity", "0.5", "--seed", LONG_NUMBER)
    check_message(message, "Invalid value for '--seed': '99999")


def test_overrides_apply_before_the_recipe_is_checked(tmp_path):
    steps = [{"layers": ["block1_0.conv1"]}]
    file = tmp_path / "steps.json"
    write_json(file, steps)
    with pytest.raises(ValueError, match="unknown layer"):
        read_recipes(file)
    [recipe] = read_recipes(file, network="resnet20", dataset="digits")
    assert (recipe.network, recipe.dataset) == ("resnet20", "digits")
    assert recipe.chosen_layers == ("block1_0.conv1",)


def test_flags():
    assert to_flag("max_over_n") == "--max-over-n"
