import pytest

from pruning.experiments.retraining.lenet_records import CHAINS, Chain, lenet_records
from pruning.experiments.retraining.published import LENET_RECORDS
from pruning.models.checkpoints import shared_card
from pruning.recipe.recipe import Recipe
from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles
from tests.pruning.experiments.retraining.common import finished


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.network)
def test_each_run_starts_from_the_one_before_and_leaves_its_share(chain):
    specs = chain.specs(0)
    for spec, compression in zip(specs, chain.alone, strict=False):
        assert spec.recipe.checkpoint == "" and chain.total_epochs(compression) == spec.total_epochs
        assert 1 / (1 - spec.recipe.last_step.value) == pytest.approx(compression, rel=1e-4)
    kept, checkpoint = 1.0, ""
    for spec, compression in zip(specs[len(chain.alone) :], chain.compressions, strict=True):
        assert spec.recipe.checkpoint == checkpoint
        kept *= 1 - spec.recipe.last_step.value
        assert 1 / kept == pytest.approx(compression, rel=1e-4)
        checkpoint = spec.name


def test_the_runs_of_a_chain_reach_their_compressions(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path))
    one_step = Recipe.one_step

    def on_digits(network, dataset, **step):
        return one_step(network, "digits", **step)

    monkeypatch.setattr(Recipe, "one_step", on_digits)
    chain = Chain("lenet300", (2, 5), rounds=1, epochs=1)
    for spec, compression in zip(chain.specs(0), chain.compressions, strict=True):
        retrain(spec, device="cpu")
        sparsity = RunFiles(spec.name).records()[-1].sparsity
        assert 1 / (1 - sparsity) == pytest.approx(compression, rel=0.001)


def all_runs(error: float):
    runs = {}
    for chain in CHAINS:
        for spec in chain.specs(0):
            runs[spec] = finished(spec, 1 - error, 0.98)
    return runs


def test_published_and_measured_errors_stand_in_the_row_of_their_compression():
    table = lenet_records(all_runs(0.015), 1)[0].frame.set_index("compression")
    dense = shared_card("lenet300", "mnist")
    assert table.loc["1", "test error"] == f"{100 * (1 - dense.test_accuracy):.2f}"
    assert table.loc["60", "test error"] == "1.50"
    assert table.loc["60", "validation error"] == "2.00"
    assert table.loc["60", "published"] == "1.82 (GSM: Ding et al. 2019)"
    assert table.loc["56", ["epochs", "test error"]].tolist() == ["", ""]
    chain = CHAINS[0]
    assert table.loc["300", "epochs"] == str(len(chain.compressions) * chain.rounds * chain.epochs)
    assert table.loc["2", "epochs"] == table.loc["4", "epochs"]


def test_every_published_record_is_shown_once():
    parts = lenet_records({}, 1)
    shown = "\n".join(part.frame.to_csv() for part in parts if not isinstance(part, str))
    for entry in LENET_RECORDS:
        assert f"{100 * entry.error:.2f} ({entry.source})" in shown


@pytest.mark.parametrize(
    "error, expected",
    [
        (0.0150, "LeNet-300-100 at 60x: goal at most 2.00 %, measured 1.50 %, reached by 0.50"),
        (0.0225, "LeNet-300-100 at 60x: goal at most 2.00 %, measured 2.25 %, missed by 0.25"),
        (0.0095, "LeNet-5-Caffe at 200x: goal at most 1.00 %, measured 0.95 %, reached by 0.05"),
        (0.0200, "LeNet-300-100 at 12x: goal at most 0.84 %, measured 2.00 %, missed by 1.16"),
    ],
)
def test_goals_are_compared(error, expected):
    texts = [part for part in lenet_records(all_runs(error), 1) if isinstance(part, str)]
    assert expected in " ".join(texts)
