import torch

from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import prune, trained_model
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step


def test_without_masks_it_is_the_dense_network():
    model = trained_model(one_step("lenet300", "digits"))
    network = MaskedNetwork(model)
    assert network.parameters == 266_610
    assert network.masked_parameters() == {} and network.input_mask is None
    assert network.removed_layers == network.removed_blocks == ()


def test_parameters_count_what_the_masks_keep_biases_included():
    network = prune(one_step("lenet300", "digits", value=0.8)).network
    assert network.parameters == 266_610 - round(0.8 * 266_200)
    filters = prune(one_step("lenet5", "digits", method="filter", layers=("fc2",))).network
    removed_with_biases = 42 * (120 + 1)
    assert filters.parameters == 61_706 - removed_with_biases


def test_masked_parameters_are_copies_with_zeros():
    recipe = one_step("lenet300", "digits", value=0.9)
    network, model = prune(recipe).network, trained_model(recipe)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for name, value in network.masked_parameters().items():
        assert torch.equal(value, before[name] * network.masks[name])
        value.zero_()
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_copy_is_a_masked_module_of_its_own():
    recipe = one_step("lenet5", "digits", value=0.9)
    network = prune(recipe).network
    copy = network.copy()
    assert copy is not network.model and not copy.training
    for name, mask in network.masks.items():
        assert torch.equal(copy.get_parameter(name) != 0, mask & (copy.get_parameter(name) != 0))
    copy.fc1.weight.data.fill_(7)
    assert not (trained_model(recipe).fc1.weight == 7).any()


def test_removed_pixels_mask_the_image_and_not_the_module():
    recipe = one_step("lenet5", "digits", method="feature", criterion="random", value=0.5)
    network = prune(recipe).network
    assert network.input_mask.shape == (1, 28, 28) and network.input_mask.dtype == torch.float32
    assert int(network.input_mask.sum()) == 392
    dense = trained_model(recipe).state_dict()
    copy = network.copy().state_dict()
    assert set(copy) == set(dense) and all(torch.equal(copy[name], dense[name]) for name in dense)


def test_removed_layers_and_blocks_are_named():
    plain = prune(one_step("lenet5", "digits", method="layer", criterion="random", value=0.4))
    assert plain.network.removed_layers and not plain.network.removed_blocks
    assert plain.network.bytes > 4 * plain.network.parameters - 1
    blocks = prune(one_step("resnet20", "digits", method="layer", value=0.34)).network
    assert blocks.removed_blocks and not blocks.removed_layers
    assert blocks.model is trained_model(one_step("resnet20", "digits"))
    for name in blocks.removed_blocks:
        for parameter, mask in blocks.masks.items():
            if parameter.startswith(f"{name}."):
                assert not mask.any()
