"""Networks as stages that are applied one after the other."""

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from pruning.models.graph_network import IMAGE, GraphNetwork, Step


def stages_of(model: nn.Module) -> dict[str, nn.Module]:
    """Divide a network into stages that are applied one after the other.

    Parameters
    ----------
    model : nn.Module
        An ``nn.Sequential`` or a `GraphNetwork`.

    Returns
    -------
    dict of str to nn.Module
        Of a sequential network its children. Of a graph its modules by name, and where there are
        parallel branches, all of them as one `GraphNetwork`, by the name of the step that joins
        them; its modules have their full names.
    """
    if not isinstance(model, GraphNetwork):
        return dict(model.named_children())
    stages: dict[str, nn.Module] = {}
    source = IMAGE
    for part in _parts(model):
        is_single = len(part) == 1
        name = part[-1].name
        stages[name] = model.get_submodule(name) if is_single else _network(model, part, source)
        source = name
    return stages


def part_of(model: nn.Module, start: int, stop: int | None = None) -> nn.Module:
    """Return some consecutive stages as a network, which shares their modules.

    Parameters
    ----------
    model : nn.Module
        An ``nn.Sequential`` or a `GraphNetwork`.
    start, stop : int
        Positions of the first stage and of the one after the last; all that follow by default.

    Returns
    -------
    nn.Module
        Of the same kind. Without a stage, it returns its input.
    """
    if isinstance(model, nn.Sequential):
        return model[start:stop]
    assert isinstance(model, GraphNetwork)
    parts = _parts(model)
    steps: list[Step] = []
    for part in parts[start:stop]:
        steps.extend(part)
    if not steps:
        return nn.Sequential()
    return _network(model, steps, parts[start - 1][-1].name if start else IMAGE)


def stage_of_layer(model: nn.Module, layer: str) -> int:
    """Return the position of the stage that a layer belongs to.

    Parameters
    ----------
    model : nn.Module
        An ``nn.Sequential`` or a `GraphNetwork`.
    layer : str
        Name of a module.

    Returns
    -------
    int
        Position among `stages_of`.
    """
    if not isinstance(model, GraphNetwork):
        return list(stages_of(model)).index(layer.partition(".")[0])
    for position, part in enumerate(_parts(model)):
        if any(step.name == layer for step in part):
            return position
    raise ValueError(f"the network has no layer {layer!r}")


def _parts(network: GraphNetwork) -> list[list[Step]]:
    """Divide the steps where only one result is still to be read.

    A ReLU belongs to the branches that end before it.
    """
    parts: list[list[Step]] = [[]]
    cuts = _cuts(network.steps)
    for position, step in enumerate(network.steps):
        parts[-1].append(step)
        following = network.steps[position + 1 : position + 2]
        has_relu = any(isinstance(network.get_submodule(each.name), nn.ReLU) for each in following)
        if cuts[position] and following and not (has_relu and len(parts[-1]) > 1):
            parts.append([])
    return parts


def _cuts(steps: Sequence[Step]) -> list[bool]:
    """Tell after which steps their result is the only one that later steps read."""
    last_reader = {}
    for position, step in enumerate(steps):
        for name in step.inputs:
            last_reader[name] = position
    cuts = []
    open_until = last_reader[IMAGE]
    for position, step in enumerate(steps):
        cuts.append(open_until <= position)
        open_until = max(open_until, last_reader.get(step.name, position))
    return cuts


def _network(network: GraphNetwork, steps: Sequence[Step], source: str) -> GraphNetwork:
    """Return a network of some steps, the first of which read only one result."""
    modules = {step.name: network.get_submodule(step.name) for step in steps}
    [shape, *_] = network.input_shapes(steps[0])
    renamed = []
    for step in steps:
        inputs = tuple(IMAGE if name == source else name for name in step.inputs)
        renamed.append(replace(step, inputs=inputs))
    return GraphNetwork(modules, renamed, shape).train(network.training)
