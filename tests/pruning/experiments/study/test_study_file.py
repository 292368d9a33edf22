"""Study files: what they may say, and the line of what is wrong."""

import re
from pathlib import Path

import pytest

from pruning.experiments.study.expansion import expand
from pruning.experiments.study.study_file import Strength, StudyError, parse_study

STUDIES = Path(__file__).parents[4] / "studies"
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
    values = (0.5, 0.6, 0.7, 0.8, 0.9)
    assert study.recipes[0].strengths == tuple(map(Strength, values))
    assert [entry.count for entry in study.recipes] == [4, 3]
    assert study.recipes[0].combinations()[1] == {"criterion": "magnitude", "scope": "layer"}
    assert study.recipes[1].axes["recovery"] == (
        (),
        ("reconstruct",),
        ("batch_norm", "reconstruct"),
    )
    assert study.recipes[1].label == "filters"
    [run] = study.runs
    assert run.strengths == (Strength(0.8),) and run.axes["epochs"] == (1, 2)
    assert study.most_points == (4 * 5 + 3 * 5 + 2 * 1) * 2
    assert [entry.line for entry in (*study.recipes, *study.runs)] == [7, 11, 16]


@pytest.mark.parametrize(
    "old, new, line, message",
    [
        ('title = "Criteria"', "title = [", 2, "is not TOML"),
        ('"lenet300"', '"vgg"', 2, "unknown network 'vgg': choose from lenet300"),
        ('["digits"]', "[]", 3, "datasets has no value"),
        ('["digits"]', '["digits", "digits"]', 3, "datasets has a value twice"),
        ("[0.9, 0.5, 0.6, 0.7, 0.8]", "[0.9]", 4, "needs at least five different values"),
        ("[0.9, 0.5, 0.6, 0.7, 0.8]", "[0.9, 0.5, 0.6, 0.7, 1.8]", 4, "at most 1, not 1.8"),
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
        ("seeds = [0, 1]", "kept_layers = [1]", 5, "kept_layers are names"),
        ("seeds = [0, 1]", "published = 1", 5, "published is true or false"),
        ("seeds = [0, 1]", "description = 1", 5, "description is a text"),
        ("seeds = [0, 1]", "budgets = []", 5, "budgets has no value"),
        ("seeds = [0, 1]", "budgets = 0.5", 5, "must be like macs=0.5"),
        ('label = "filters"', 'budgets = ["flops=0.5"]', 12, "must be like macs=0.5"),
        ('label = "filters"', 'budgets = ["macs=1.5"]', 12, "between 0 and 1"),
        ('label = "filters"', 'budgets = ["macs=0.5", "macs=0.50"]', 12, "given twice"),
        ('label = "filters"', 'budgets = "own"', 12, "not own"),
        ("epochs = [1, 2]", "epochs = [[1]]", 18, "epochs is a text or a number"),
        ("epochs = [1, 2]", "epoch = 1", 18, "unknown field 'epoch'"),
        ("values = 0.8", "values = [2]", 19, "at most 1, not 2"),
        ("values = 0.8", "values = 0", 19, "above 0"),
        ("values = 0.8", "values = nan", 19, "above 0"),
        ("values = 0.8", "values = []", 19, "needs at least a value"),
        ("seeds = [0, 1]", "seeds = 5000000000", 5, "from 0 to 4294967295"),
        ('title = "Criteria"', 'title = "a|b"', 1, "one line of text, without"),
        ('label = "filters"', 'label = "a-->b"', 12, "one line of text, without"),
        ('label = "filters"', 'label = "dense"', 12, "names of the controls"),
        ('label = "filters"', 'label = "random control, 2"', 12, "names of the controls"),
        ('"batch_norm+reconstruct"', '"reconstruct+reconstruct"', 14, "has a name twice"),
        ('["global", "layer"]', '"custom"', 9, "unknown scope 'custom'"),
        ("seeds = [0, 1]", "seeds = [0]\n[foo]", 6, "unknown field 'foo'"),
        ("seeds = [0, 1]", "seeds = " + "9" * 5000, 0, "is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old, new, line, message):
    assert STUDY.count(old) == 1
    with pytest.raises(StudyError, match=message) as caught:
        parse_study(STUDY.replace(old, new), "my.toml")
    text = str(caught.value)
    assert text.startswith("my.toml")
    assert f"line {line}" in text or not line


def test_budgets_stand_beside_values_or_instead_of_them():
    text = STUDY.replace("seeds = [0, 1]", 'budgets = ["macs=0.25", "macs=0.5"]\nseeds = [0, 1]')
    study = parse_study(text.replace('label = "filters"', 'budgets = "parameters=0.1"'))
    budgets = (Strength(0.5, "macs"), Strength(0.25, "macs"))
    values = tuple(map(Strength, (0.5, 0.6, 0.7, 0.8, 0.9)))
    assert study.recipes[0].strengths == values + budgets
    assert study.recipes[1].strengths == (Strength(0.1, "parameters"),)
    assert study.runs[0].strengths == (Strength(0.8),)
    assert study.most_points == (4 * 7 + 3 * 1 + 2 * 1) * 2


def test_lines_are_found_beside_texts_of_several_lines_and_tables_in_one():
    text = STUDY.replace("seeds =", 'description = """\n[[recipes]]\ncriterion = 1\n"""\nseeds =')
    with pytest.raises(StudyError, match="line 12: unknown criterion 'nothing'"):
        parse_study(text.replace('"taylor"', '"nothing"'), "my.toml")
    head = 'networks = "lenet300"\ndatasets = "digits"\nvalues = [0.5, 0.6, 0.7, 0.8, 0.9]\n'
    with pytest.raises(StudyError, match="line 4: unknown criterion 'nothing'"):
        parse_study(head + 'recipes = [{criterion = "nothing"}]\n', "my.toml")
    with pytest.raises(StudyError, match=r"line 4: recipes are tables: write \[\[recipes\]\]"):
        parse_study(head + '[recipes]\ncriterion = "magnitude"\n', "my.toml")


def test_a_benchmark_of_retraining_is_a_study():
    text = 'benchmark = "sparsify"\nseeds = [0, 1]\ndocument = "../results.md"\n'
    study = parse_study(text)
    assert (study.benchmark, study.seeds, study.networks) == ("sparsify", (0, 1), ())
    assert (study.title, study.document) == ("Penalties: LeNet-300-100 on MNIST", "../results.md")
    for old, new, message in (
        ("sparsify", "densify", "line 1: unknown benchmark 'densify': choose from"),
        ("[0, 1]", "[1, 2]", "line 2: seeds of a benchmark are 0, 1 and so on"),
        ("document", "networks", "line 3: unknown field 'networks'"),
        ("../results.md", "", None),
    ):
        changed = text.replace(old, new)
        if message is None:
            assert parse_study(changed).document == ""
            continue
        with pytest.raises(StudyError, match=message):
            parse_study(changed, "my.toml")


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_studies_of_the_project_are_valid(path):
    study = parse_study(path.read_text(encoding="utf-8"), path.name)
    points = expand(study, path.name)
    assert len(set(points)) == len(points) > 1
    if study.document:
        document = (path.parent / study.document).read_text(encoding="utf-8")
        section = document.partition(f"<!-- begin: {study.title} -->")[2]
        assert f"Measured by `python -m pruning study studies/{path.name}`." in section
        assert section.count("<!-- end:") >= 1


def test_every_section_of_the_results_is_made_by_a_study():
    titles = [
        parse_study(path.read_text(encoding="utf-8")).title for path in STUDIES.glob("*.toml")
    ]
    document = (STUDIES.parent / "docs" / "results.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", document, re.MULTILINE)
    assert set(sections) <= set(titles) and len(sections) == len(set(sections)) > 6


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "needs networks, such as 'lenet300'"),
        ('networks = "lenet5"', "needs datasets"),
        ('networks = "lenet5"\ndatasets = "digits"', "nothing to measure"),
        ('networks = "lenet5"\ndatasets = "digits"\n[recipes]\na = 1', r"write \[\[recipes\]\]"),
        (
            'networks = "lenet5"\ndatasets = "digits"\n[[recipes]]\n',
            "values or budgets are missing",
        ),
    ],
)
def test_what_is_missing_is_named(text, message):
    with pytest.raises(StudyError, match=message):
        parse_study(text)


def test_a_million_points_are_the_limit():
    many = ", ".join(str(seed) for seed in range(30_000))
    with pytest.raises(StudyError, match="1,110,000 points, more than 1,000,000"):
        parse_study(STUDY.replace("seeds = [0, 1]", f"seeds = [{many}]"))
