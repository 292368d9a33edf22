"""Any network and data, from a program: the functions of ``import pruning``."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.sparse import csr_array
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import pruning
from pruning.recipe.compatibility import criteria_for
from tests.small_network import SmallNetwork


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).float().mean())


def test_masked_and_removed_modules_compute_what_was_measured(trained, digits):
    x, y = digits
    data = {"train": (x[:1000], y[:1000]), "test": (x[1000:], y[1000:])}
    state = copy.deepcopy(trained.state_dict())
    pruned = pruning.prune(trained, data, method="filter", sparsity=0.4, scope="layer")
    masked, removed = pruned.masked(), pruned.removed()
    assert isinstance(masked, SmallNetwork)
    evaluation = pruned.evaluate()
    assert evaluation.accuracy.images == len(x) - 1000
    assert evaluation.accuracy.value == pytest.approx(accuracy(masked, x[1000:], y[1000:]))
    with torch.no_grad():
        torch.testing.assert_close(removed(x), masked(x), atol=1e-4, rtol=0)
    cost = pruned.cost()
    assert sum(p.numel() for p in removed.parameters()) == cost.loc["effective", "parameters"]
    assert cost.loc["effective", "macs"] < cost.loc["dense", "macs"]
    for name, value in trained.state_dict().items():
        assert torch.equal(value, state[name])


def test_the_dense_accuracy_is_that_of_the_module(trained, digits):
    x, y = digits
    data = {"train": (x[:1000], y[:1000]), "test": (x[1000:], y[1000:])}
    evaluation = pruning.prune(trained, data, sparsity=0.0).evaluate()
    assert evaluation.accuracy.value == pytest.approx(accuracy(trained, x[1000:], y[1000:]))
    assert evaluation.dense_accuracy == evaluation.accuracy.value > 0.9


@pytest.mark.parametrize("method", ["weight", "neuron", "filter", "feature"])
def test_every_criterion_prunes_a_network_of_the_user(trained, digits, method):
    random = pruning.prune(trained, digits, method=method, criterion="random", sparsity=0.5)
    for criterion in criteria_for(random.recipe.network, method):
        pruned = pruning.prune(
            trained, digits, method=method, criterion=criterion, sparsity=0.5, calibration=64
        )
        assert pruned.result.removed_share == pytest.approx(0.5, abs=0.1)
        x = digits[0][:32]
        with torch.no_grad():
            torch.testing.assert_close(pruned.removed()(x), pruned.masked()(x), atol=1e-4, rtol=0)


def test_a_reconstruction_raises_the_accuracy(trained, digits):
    settings = {"method": "filter", "scope": "layer", "sparsity": 0.75, "calibration": 256}
    before = pruning.prune(trained, digits, **settings).evaluate()
    after = pruning.prune(trained, digits, recovery=("reconstruct",), **settings).evaluate()
    assert after.accuracy.value > before.accuracy.value


def test_batch_norms_are_recalibrated_where_every_convolution_has_one(trained, digits):
    with pytest.raises(ValueError, match="needs batch norms"):
        pruning.prune(trained, digits, recovery=("batch_norm",))
    torch.manual_seed(0)
    block = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    model = nn.Sequential(*block)
    pruned = pruning.prune(model, digits, sparsity=0.5, recovery=("batch_norm",), calibration=64)
    assert not torch.equal(pruned.masked()[1].running_mean, model[1].running_mean)


def test_data_in_every_form_are_the_same_dataset(trained, digits):
    x, y = digits
    pairs = TensorDataset(x, y)
    forms = [digits, (x.numpy(), y.numpy()), pairs, DataLoader(pairs, batch_size=100)]
    recipes = {pruning.prune(trained, data, sparsity=0.5).recipe for data in forms}
    assert len(recipes) == 1


def test_vectors_of_features(digits):
    torch.manual_seed(0)
    x, y = digits
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).eval()
    pruned = pruning.prune(model, (x.flatten(1), y), method="neuron", criterion="activation")
    assert pruned.result.removed_units > 0
    with torch.no_grad():
        vectors = x.flatten(1)[:, :, None, None]
        torch.testing.assert_close(pruned.removed()(vectors), pruned.masked()(vectors))


def test_compare_begins_with_the_dense_network(trained, digits):
    table = pruning.compare(
        trained,
        digits,
        {
            "weights": {"sparsity": 0.8},
            "filters": {"method": "filter", "sparsity": 0.5, "scope": "layer"},
        },
    )
    assert list(table.index) == ["dense", "weights", "filters"]
    assert table.loc["weights", "sparsity"] == pytest.approx(0.8, abs=0.01)
    assert (table["low"] < table["accuracy"]).all() and (table["accuracy"] < table["high"]).all()


def test_curve_and_sensitivity(trained, digits):
    curves = [{"criterion": "magnitude"}, {"criterion": "random"}]
    table = pruning.curve(trained, digits, curves, points=3, seeds=2)
    assert len(table) == 3 + 2 * 3
    scan = pruning.sensitivity(trained, digits, levels=(0.5, 0.9))
    assert list(scan.accuracies.index) == [
        *("stem", "depthwise", "grouped", "gate", "hidden", "last")
    ]


@pytest.mark.slow
def test_retraining_keeps_the_masks(trained, digits):
    settings = {"sparsity": 0.9}
    before = pruning.prune(trained, digits, **settings)
    after = pruning.retrain(trained, digits, training={"epochs": 3}, **settings)
    assert after.evaluate().accuracy.value > before.evaluate().accuracy.value
    state = after.masked().state_dict()
    for name, mask in before.masks.items():
        assert (state[name][~mask] == 0).all()


def test_files(trained, digits, tmp_path):
    folder = pruning.prune(trained, digits, sparsity=0.5).save(tmp_path / "pruned")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("data.json", "load.py", "masked.safetensors", "masks.safetensors"),
        *("network.json", "network.safetensors", "recipe.json", "sparse.safetensors"),
    ]


def test_sparse_rows_are_the_masked_weights(trained, digits, tmp_path):
    pruned = pruning.prune(trained, digits, sparsity=0.9)
    folder = pruned.save(tmp_path / "pruned")
    sparse, dense = load_file(folder / "sparse.safetensors"), pruned.masked().state_dict()
    for name, weight in dense.items():
        if weight.ndim < 2:
            assert torch.equal(sparse[name], weight)
            continue
        rows = sparse[f"{name}.rows"].numpy().astype(np.int64)
        columns = sparse[f"{name}.columns"].numpy().astype(np.int64)
        matrix = csr_array(
            (sparse[f"{name}.values"].numpy(), columns, rows), weight.flatten(1).shape
        )
        assert np.array_equal(matrix.toarray(), weight.flatten(1).numpy())


@pytest.mark.slow
def test_a_report_is_one_page(trained, digits, tmp_path):
    pruned = pruning.prune(trained, digits, method="filter", sparsity=0.3, scope="layer")
    page = pruned.report(tmp_path / "report.html").read_text(encoding="utf-8")
    for heading in ("Accuracy", "Costs", "Layers", "Recipe", "Made with", "Accuracy of each class"):
        assert f"<h2>{heading}</h2>" in page
    accuracy = pruned.evaluate().accuracy
    assert f"{accuracy.correct} of 360" in page and "src=" not in page.partition("<script")[0]


def test_a_notebook_shows_the_table_and_the_heatmap(trained, digits):
    pruned = pruning.prune(trained, digits, sparsity=0.5)
    html = pruned._repr_html_()
    assert html.count("<tr>") == 1 + 3 + 1 + 6
    assert "depthwise" in html and "<script" not in html
    assert "sparsity=0.5" in repr(pruned)


REFUSED = [
    ({"sparsity": 2}, "sparsity"),
    ({"sparsiti": 0.5}, "unknown setting 'sparsiti': choose from sparsity, method"),
    ({"sparsity": 0.5, "value": 0.5}, "give only one of them"),
    ({"method": "filter", "criterion": "wanda"}, "does not score filters"),
]


@pytest.mark.parametrize("settings, message", REFUSED)
def test_settings_are_checked(trained, digits, settings, message):
    with pytest.raises(ValueError, match=message):
        pruning.prune(trained, digits, **settings)


def test_a_network_and_data_that_do_not_fit(trained, digits):
    x, y = digits
    with pytest.raises(pruning.UnsupportedNetworkError, match="does not accept images of shape"):
        pruning.prune(nn.Sequential(nn.Flatten(), nn.Linear(9, 10)), digits)
    with pytest.raises(ValueError, match="has 10 outputs, but Own data has 20 classes"):
        pruning.prune(trained, (x, y * 2 + 1))
    with pytest.raises(ValueError, match="give images and labels"):
        pruning.prune(trained)
    with pytest.raises(TypeError, match=r"an nn\.Module or a name, not int"):
        pruning.prune(3, digits)


def test_where_all_channels_are_tied_they_are_one_unit(digits):
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.branch = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.last = nn.Linear(8, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(x).relu()
            return self.last((x + self.branch(x)).mean([2, 3]))

    torch.manual_seed(0)
    pruned = pruning.prune(Tied(), digits, method="filter", sparsity=0.5)
    assert pruned.recipe.last_step.grouping == "across"
    assert pruned.removed().get_submodule("branch").weight.shape == (4, 4, 3, 3)
    with pytest.raises(ValueError, match="has no layers that can be removed: choose from weight"):
        pruning.prune(Tied(), digits, method="layer")


def test_names_of_users_are_not_listed(trained, digits):
    recipe = pruning.prune(trained, digits, sparsity=0.5).recipe
    assert recipe.network in pruning.NETWORKS and recipe.dataset in pruning.DATASETS
    assert recipe.network not in list(pruning.NETWORKS)
    assert recipe.dataset not in list(pruning.DATASETS)


@pytest.mark.slow
def test_an_onnx_file_is_compared_with_the_module(trained, digits, tmp_path):
    pruned = pruning.prune(trained, digits, method="filter", sparsity=0.3, scope="layer")
    check = pruned.to_onnx(tmp_path / "network.onnx")
    assert check.agreeing == check.images == 360 and check.largest_difference < 1e-4
