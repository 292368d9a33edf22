from pruning.models import build, prunable
from pruning.models.norms import batch_norms_after


def test_each_convolution_of_a_resnet_has_the_batch_norm_of_its_name():
    model = build("resnet20", channels=3, size=32)
    norms = batch_norms_after(model, 3, 32)
    assert list(norms) == [name for name in prunable(model) if name != "fc"]
    expected = {
        "conv1": "bn1",
        "block1_0.conv2": "block1_0.bn2",
        "block2_0.shortcut.conv": "block2_0.shortcut.bn",
    }
    assert expected.items() <= norms.items()
    assert not any(module._forward_hooks for module in model.modules())


def test_a_network_without_batch_norms_has_none():
    assert batch_norms_after(build("lenet5", channels=1, size=28), 1, 28) == {}
