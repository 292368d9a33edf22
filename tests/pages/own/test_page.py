"""The page *Your network*: files of a visitor, and what other visitors see of them."""

import io
import json
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save
from sklearn.datasets import load_digits
from torch import nn

from pages.own.data import UPLOADED
from pages.own.network import FROM_ONNX, OF_PRUNESCOPE
from pages.state.own_networks import DELETED, own_uploads
from pruning.data.datasets import DATASETS
from pruning.models import NETWORKS, checkpoints
from pruning.models.architecture import architecture_to_dict
from pruning.models.graph import translate
from pruning.recipe.recipe import Recipe
from pruning.runtime.own_uploads import UNUSED_S
from pruning.runtime.registry import Registry
from pruning.training.retrain import retrain
from pruning.training.spec import default_spec
from tests.pages.common import run_until, settled
from tests.pages.driver import click, finished, has_button, opened_page, to_json, warning
from tests.pruning.data.test_image_archive import archive, pets

pytestmark = pytest.mark.usefixtures("no_downloads", "new_jobs", "no_uploads")


KNOWN: dict[str, set[str]] = {}
"""Names of other tests, which are not listed."""


@pytest.fixture
def no_uploads(tmp_path, monkeypatch) -> Iterator[None]:
    """No visitor has uploaded anything, and there are no runs."""
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))
    KNOWN.clear()
    for registry in (NETWORKS, DATASETS):
        KNOWN[registry.kind] = set(registry._unlisted)
    yield
    for registry in (NETWORKS, DATASETS):
        for name in registered(registry):
            registry.discard(name)
    own_uploads.clear()


def registered(registry: Registry) -> set[str]:
    """What the test has uploaded."""
    return set(registry._unlisted) - KNOWN[registry.kind]


def own_page():
    return opened_page("own")


def select(at, label: str, option: str):
    [box] = [box for box in at.main.selectbox if box.label == label]
    return box.set_value(option).run()


def upload(at, label: str, name: str, content: bytes):
    [uploader] = [each for each in at.main.get("file_uploader") if label in each.label]
    return uploader.set_value((name, content, "application/octet-stream")).run()


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def small_digits() -> dict[str, np.ndarray]:
    images, labels = load_digits(return_X_y=True)
    return {"x": (images.reshape(-1, 8, 8) * 15).astype(np.uint8), "y": labels}


def with_own_data(at):
    at = select(at, "Images", UPLOADED)
    at = upload(at, "Images and labels", "mine.npz", npz(**small_digits()))
    return finished(click(at, "Read the images"))


def text_of(at) -> str:
    parts = [*at.main.markdown, *at.main.caption]
    return " ".join(part.value for part in parts).replace("\\", "")


def failed(at) -> str:
    """Wait for the warning that work has failed."""
    run_until(at, lambda: bool(at.warning))
    return warning(at)


def use(at):
    return finished(click(at, "Use this network"))


def lenet_files() -> tuple[str, bytes]:
    model = checkpoints.load("lenet5", "digits")
    network = translate(model, (1, 28, 28))
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    return json.dumps(architecture_to_dict(network)), save(state)


def with_trained_network(at):
    architecture, weights = lenet_files()
    at = at.main.text_area[0].set_value(architecture).run()
    return use(upload(at, "Weights", "lenet.safetensors", weights))


def test_an_architecture_with_weights_has_the_accuracy_of_its_checkpoint():
    at = with_trained_network(own_page())
    card = checkpoints.card("lenet5", "digits")
    assert f"({card.test_correct:,} of {card.test_images:,})" in text_of(at)
    assert "close to guessing" not in text_of(at)
    at = settled(click(at, "Open in Explore"))
    assert not at.exception
    [network] = [box for box in at.sidebar.selectbox if box.label == "Network"]
    assert network.value.startswith("own-") and "lenet" in network.options


def test_the_drawing_follows_the_text():
    at = own_page()
    [drawing] = at.get("graphviz_chart")
    assert '"conv1" -> "pool1"' in drawing.proto.spec
    content = json.loads(at.main.text_area[0].value)
    content["steps"][0]["settings"]["out_channels"] = 9
    at = at.main.text_area[0].set_value(json.dumps(content)).run()
    assert "conv2" in at.main.error[0].value.replace("\\", "")  # expects six channels
    content["steps"][3]["settings"]["in_channels"] = 9
    at = at.main.text_area[0].set_value(json.dumps(content)).run()
    assert "9x28x28" in at.get("graphviz_chart")[0].proto.spec


@pytest.mark.parametrize(
    "text, message",
    [("{", "is not JSON"), ("{}", "object with format, shape, steps"), ("[" * 200, "not JSON")],
)
def test_other_texts_are_described(text, message):
    at = own_page().main.text_area[0].set_value(text).run()
    assert not at.exception
    assert message in at.main.error[0].value.replace("\\", "")
    assert not [button for button in at.main.button if button.label == "Use this network"]


def test_weights_of_another_network_are_described():
    at = upload(own_page(), "Weights", "other.safetensors", save({}))
    message = failed(click(at, "Use this network"))
    assert "the weights have no tensor conv1.weight" in message
    assert not registered(NETWORKS)


def test_images_of_a_file_are_split_and_normalised_visibly():
    at = with_own_data(own_page())
    [name] = registered(DATASETS)
    data = DATASETS[name]
    [table] = [frame for frame in at.main.dataframe if "split" in frame.value.columns]
    assert table.value["images"].tolist() == [1293, 144, 360]
    assert f"Normalised by mean {data.mean[0]:.4f} and standard deviation" in text_of(at)
    pixels = data.own.train[0] / 255
    assert data.mean[0] == pytest.approx(pixels.mean()) and data.std[0] == pytest.approx(
        pixels.std()
    )


def test_pictures_in_folders_are_read():
    at = select(own_page(), "Images", UPLOADED)
    at = upload(at, "Images and labels", "pets.zip", archive(pets(count=40)))
    at = finished(click(at, "Read the images"))
    [name] = registered(DATASETS)
    assert DATASETS[name].classes == ("cat", "dog")
    assert DATASETS[name].label == "pets"
    assert "3 x 32 x 32; 2 classes: cat, dog" in text_of(at)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.npz", b"nothing", "it is not an .npz archive"),
        ("a.npz", npz(z=np.zeros(3)), "it needs x_train, y_train"),
        ("a.npz", npz(x=np.array([{}], dtype=object), y=np.zeros(1)), "holds Python objects"),
        ("a.zip", b"nothing", "not a readable ZIP archive"),
        ("a.zip", archive({"cat/0.png": b""}), "folders of classes"),
    ],
)
def test_other_files_of_images_are_described(name, content, message):
    at = upload(select(own_page(), "Images", UPLOADED), "Images and labels", name, content)
    assert message in failed(click(at, "Read the images"))
    assert not registered(DATASETS)


def test_a_shipped_network_learns_own_images_from_random_or_trained_weights():
    at = select(own_page(), "Images", UPLOADED)
    at = upload(at, "Images and labels", "pets.zip", archive(pets(count=40)))
    at = finished(click(at, "Read the images"))
    at = at.main.button_group(key="own_source").set_value(OF_PRUNESCOPE).run()
    at = select(at, "Network of Prunescope", "lenet5")
    at = select(at, "It begins with", "digits")
    at = use(at)
    [name] = registered(NETWORKS)
    model = NETWORKS[name].own.model
    trained = checkpoints.load("lenet5", "digits")
    assert model.get_submodule("conv2").weight.equal(trained.get_submodule("conv2").weight)
    assert model.get_submodule("fc3").out_features == 2
    at = settled(click(at, "Train on Retrain"))
    assert not at.exception
    assert at.sidebar.selectbox[0].value == name


def test_onnx_files_are_read_without_their_code():
    at = own_page().main.button_group(key="own_source").set_value(FROM_ONNX).run()
    at = upload(at, "ONNX file", "broken.onnx", b"no network")
    assert "The network could not be used" in failed(click(at, "Use this network"))
    assert not registered(NETWORKS)


def test_another_visitor_does_not_see_it():
    at = with_trained_network(own_page())
    [name] = registered(NETWORKS)
    other = settled(opened_page("explore", network=name, dataset="digits"))
    assert "is not kept for this browser" in warning(other)
    assert "lenet" not in other.sidebar.selectbox[0].options
    assert "Kept for you" not in [each.value for each in own_page().subheader]
    for page, key in (("compare", "columns"), ("curves", "recipes")):
        refused = opened_page(page, **{key: to_json([Recipe(name, "digits")])})
        assert not refused.exception
        assert "is not kept for this browser" in warning(refused)
    assert "Kept for you" in [each.value for each in at.subheader]


def test_what_is_deleted_is_gone_from_every_page():
    at = with_trained_network(own_page())
    [name] = registered(NETWORKS)
    at = settled(click(at, "Open in Explore"))
    at = click(at.switch_page("pages/own/page.py").run(), "Delete lenet")
    assert name not in NETWORKS
    assert warning(at) == DELETED
    at = settled(at.switch_page("pages/explore/page.py").run())
    assert not at.exception
    assert at.sidebar.selectbox[0].value == "lenet5"


def test_what_is_not_used_expires_with_its_runs(monkeypatch):
    at = with_trained_network(own_page())
    uploads = own_uploads()
    now = uploads._clock()
    monkeypatch.setattr(uploads, "_clock", lambda: now + UNUSED_S + 1)
    uploads.expire()
    assert not registered(NETWORKS)
    at = settled(at.run())
    assert not at.exception
    assert "Kept for you" not in [each.value for each in at.subheader]


def test_names_are_made_different_because_widgets_tell_networks_by_them():
    at = with_trained_network(own_page())
    at = use(at.main.text_input[-1].set_value("lenet").run())  # with random weights
    at = use(at.main.text_input[-1].set_value("LeNet-5").run())
    labels = {NETWORKS[name].label for name in registered(NETWORKS)}
    assert labels == {"lenet", "lenet (2)", "LeNet-5 (2)"}
    assert "3 networks are kept for you" in warning(at)
    assert not [button for button in at.main.button if button.label == "Use this network"]


def test_a_run_of_another_visitor_is_not_shown(tmp_path):
    at = with_trained_network(own_page())
    [name] = registered(NETWORKS)
    spec = default_spec(Recipe.one_step(name, "digits", value=0.5), "finetune", epochs=1)
    retrain(spec, device="cpu")
    shipped = default_spec(Recipe.one_step("lenet300", "digits", value=0.5), "finetune", epochs=1)
    retrain(shipped, device="cpu")
    other = opened_page("retrain", network="lenet300", dataset="digits", run=spec.name)
    assert f"there is no run {spec.name[:30]}" in warning(other)
    other = finished(other)
    tables = [frame.value for frame in other.main.dataframe if "run" in frame.value.columns]
    assert tables[0]["run"].tolist() == [shipped.name]
    assert "Export" not in [button.label for button in other.main.button]
    at = click(at, "Train on Retrain")
    tables = [frame.value for frame in at.main.dataframe if "run" in frame.value.columns]
    assert set(tables[0]["run"]) == {spec.name, shipped.name}


SMALL_NETWORKS = {
    "one layer": [("flatten", nn.Flatten()), ("last", nn.Linear(784, 10))],
    "convolutions": [
        ("first", nn.Conv2d(1, 4, 5)),
        ("second", nn.Conv2d(4, 4, 5)),
        ("flatten", nn.Flatten()),
        ("last", nn.Linear(1600, 10)),
    ],
}


@pytest.mark.parametrize(
    "page", ["explore", "compare", "curves", "sensitivity", "inside", "agreement"]
)
@pytest.mark.parametrize("layers", SMALL_NETWORKS.values(), ids=list(SMALL_NETWORKS))
def test_every_page_shows_small_networks(layers, page):
    torch.manual_seed(0)
    model = nn.Sequential(OrderedDict(layers)).eval()
    network = translate(model, (1, 28, 28))
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    at = own_page().main.text_area[0].set_value(json.dumps(architecture_to_dict(network))).run()
    at = use(upload(at, "Weights", "small.safetensors", save(state)))
    at = settled(click(at, "Open in Explore"))
    at = at.switch_page(f"pages/{page}/page.py").run()
    run_until(at, lambda: not has_button(at, "Cancel"))
    assert not at.exception
    messages = [each.value for each in (*at.warning, *at.error)]
    assert not [text for text in messages if "unexpected error" in text]


def test_a_network_without_weights_to_prune_is_refused():
    network = translate(
        nn.Sequential(nn.BatchNorm2d(1), nn.AdaptiveAvgPool2d((2, 5)), nn.Flatten()), (1, 28, 28)
    )
    at = own_page().main.text_area[0].set_value(json.dumps(architecture_to_dict(network))).run()
    assert "no convolution and no linear layer" in failed(click(at, "Use this network"))
    assert not registered(NETWORKS)


def test_a_network_is_not_used_again_by_a_reload():
    use(own_page())
    again = own_page()
    assert "3. Prune it, or train it" not in [each.value for each in again.subheader]


def test_an_onnx_file_for_other_classes_is_refused_and_not_kept():
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["logits"], transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])
    weights = numpy_helper.from_array(np.ones((3, 784), np.float32), "w")
    graph = helper.make_graph(nodes, "g", [image], [logits], [weights])
    at = own_page().main.button_group(key="own_source").set_value(FROM_ONNX).run()
    content = helper.make_model(graph).SerializeToString()
    at = upload(at, "ONNX file", "three.onnx", content)
    assert "3 outputs, and the images have 10 classes" in failed(click(at, "Use this network"))
    assert not registered(NETWORKS)
