"""Study files: what they may say, and the line of what is wrong."""

import pytest

from pruning.experiments.study.study_file import StudyError, parse_study

STUDY = """title = "Criteria"
networks = "lenet300"
datasets = ["digits"]
values = [0.9, 0.5, 0.6, 0.7, 0.8]
seeds = [0, 1]

[[recipes]]
criterion = ["magnitude", "taylor"]
scope = ["global", "layer"]

[[recipes]]
label = "filters"
method = "filter"
recovery = ["", "reconstruct", "batch_norm+reconstruct"]

[[runs]]
schedule = "finetune"
epochs = [1, 2]
values = 0.8
"""


def test_lists_are_grids():
    study = parse_study(STUDY)
    assert study.networks == ("lenet300",) and study.datasets == ("digits",)
    assert study.recipes[0].values == (0.5, 0.6, 0.7, 0.8, 0.9)
    assert [entry.count for entry in study.recipes] == [4, 3]
    assert study.recipes[0].combinations()[1] == {"criterion": "magnitude", "scope": "layer"}
    assert study.recipes[1].axes["recovery"] == (
        (),
        ("reconstruct",),
        ("batch_norm", "reconstruct"),
    )
    assert study.recipes[1].label == "filters"
    [run] = study.runs
    assert run.values == (0.8,) and run.axes["epochs"] == (1, 2)
    assert study.most_points == (4 * 5 + 3 * 5 + 2 * 1) * 2
    assert [entry.line for entry in (*study.recipes, *study.runs)] == [7, 11, 16]


@pytest.mark.parametrize(
    "old, new, line, message",
    [
        ('title = "Criteria"', "title = [", 2, "is not TOML"),
        ('"lenet300"', '"vgg"', 2, "unknown network 'vgg': choose from lenet300"),
        ('["digits"]', "[]", 3, "datasets has no value"),
        ('["digits"]', '["digits", "digits"]', 3, "datasets has a value twice"),
        ("[0.9, 0.5, 0.6, 0.7, 0.8]", "[0.9]", 4, "at least 5 shares"),
        ("[0.9, 0.5, 0.6, 0.7, 0.8]", "[0.9, 0.5, 0.6, 0.7, 1.8]", 4, "at least 5 shares"),
        ("seeds = [0, 1]", "seeds = [0, 0]", 5, "different whole numbers"),
        ("seeds = [0, 1]", "seed = 0", 5, "unknown field 'seed'"),
        ("seeds = [0, 1]", "precision = 2", 5, "between 0 and 1"),
        ('"taylor"', '"nothing"', 8, "unknown criterion 'nothing'"),
        ('["global", "layer"]', '["all"]', 9, "unknown scope 'all'"),
        ('label = "filters"', "label = 3", 12, "label is at most"),
        ('"filter"', "[]", 13, "method has no value"),
        ('"batch_norm+reconstruct"', '"hope"', 14, "unknown recovery 'hope'"),
        ('schedule = "finetune"', 'schedule = "never"', 17, "unknown schedule 'never'"),
        ('schedule = "finetune"', "rounds = 2", 16, "a run needs a schedule"),
        ("epochs = [1, 2]", "epochs = [[1]]", 18, "epochs is a text or a number"),
        ("epochs = [1, 2]", "epoch = 1", 18, "unknown field 'epoch'"),
        ("values = 0.8", "values = [2]", 19, "at least 1 shares"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old, new, line, message):
    assert STUDY.count(old) == 1
    with pytest.raises(StudyError, match=message) as caught:
        parse_study(STUDY.replace(old, new), "my.toml")
    text = str(caught.value)
    assert text.startswith("my.toml")
    assert f"line {line}" in text


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "needs networks, such as 'lenet300'"),
        ('networks = "lenet5"', "needs datasets"),
        ('networks = "lenet5"\ndatasets = "digits"', "nothing to measure"),
        ('networks = "lenet5"\ndatasets = "digits"\n[recipes]\na = 1', r"write \[\[recipes\]\]"),
        ('networks = "lenet5"\ndatasets = "digits"\n[[recipes]]\n', "values are missing"),
    ],
)
def test_what_is_missing_is_named(text, message):
    with pytest.raises(StudyError, match=message):
        parse_study(text)


def test_a_million_points_are_the_limit():
    many = ", ".join(str(seed) for seed in range(30_000))
    with pytest.raises(StudyError, match="1,110,000 points, more than 1,000,000"):
        parse_study(STUDY.replace("seeds = [0, 1]", f"seeds = [{many}]"))
