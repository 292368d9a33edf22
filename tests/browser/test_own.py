"""Your network in a browser: files are uploaded, and only their browser sees them."""

import json

from safetensors.torch import save

from pruning.models import checkpoints
from pruning.models.architecture import architecture_to_dict
from pruning.models.graph import translate
from tests.browser.conftest import settle
from tests.pruning.data.test_image_archive import archive, pets

NOT_KEPT = "is not kept for this browser"


def trained_lenet() -> tuple[bytes, bytes]:
    """Architecture and weights, as files."""
    network = translate(checkpoints.load("lenet5", "digits"), (1, 28, 28))
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    return json.dumps(architecture_to_dict(network)).encode(), save(state)


def upload(page, label: str, name: str, content: bytes) -> None:
    uploader = page.get_by_test_id("stFileUploader").filter(has_text=label)
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    uploader.locator("input").set_input_files(file)
    settle(page)


def choose(page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option, exact=True).click()
    settle(page)


def test_a_network_is_uploaded_and_seen_by_its_browser_only(visit):
    page = visit("own")
    choose(page, "Images", "Digits")
    architecture, weights = trained_lenet()
    upload(page, "Open an architecture", "lenet.json", architecture)
    assert page.locator("svg").get_by_text("conv1").count()
    upload(page, "Weights", "lenet.safetensors", weights)
    page.get_by_role("button", name="Use this network").click()
    page.get_by_text("of the test images").wait_for()
    settle(page)
    page.get_by_role("button", name="Open in Explore").click()
    page.get_by_role("heading", name="Explore").wait_for()
    settle(page)
    assert "network=own-" in page.url
    assert not page.get_by_text(NOT_KEPT).count()
    page.reload()
    settle(page)
    assert not page.get_by_text(NOT_KEPT).count()
    link = page.url.rpartition("/")[2]
    other = visit(link)
    assert other.get_by_text(NOT_KEPT).count() == 1
    assert "own-" not in other.url


def test_pictures_are_uploaded_and_a_network_is_trained_on_them(visit):
    page = visit("own")
    choose(page, "Images", "A file of mine")
    upload(page, "Images and labels", "pets.zip", archive(pets(count=40)))
    page.get_by_role("button", name="Read the images").click()
    page.get_by_text("2 classes: cat, dog").wait_for()
    page.get_by_text("Of Prunescope", exact=True).click()
    settle(page)
    page.get_by_role("button", name="Use this network").click()
    page.get_by_role("button", name="Train on Retrain").click()
    page.get_by_role("heading", name="Retrain").wait_for()
    settle(page)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Export").wait_for(timeout=60_000)
