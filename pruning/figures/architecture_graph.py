"""The steps of a network as a drawing, in the language DOT of Graphviz."""

from collections.abc import Sequence

from torch import nn

from pruning.models.blocks import Add, Concatenate, Multiply
from pruning.models.graph import NORMS
from pruning.models.graph_network import IMAGE, GraphNetwork

JOINS = (Add, Multiply, Concatenate)
MAX_DRAWN = 150
"""Steps of a drawing that can be read."""
PRUNABLE_FILL, NORM_FILL, JOIN_FILL, OTHER_FILL = "#9ecbea", "#f3dd8a", "#f2b48c", "#e3e3e3"
INK, LINE = "#1a1a1a", "#8a8a8a"


def architecture_graph(network: GraphNetwork) -> str:
    """Draw the steps of a network from top to bottom.

    Parameters
    ----------
    network : GraphNetwork
        Its parameters may be on the meta device.

    Returns
    -------
    str
        DOT: a box for each step with its name, its kind, the shape of its result and the number of
        its parameters; of a long network only the first steps.
    """
    lines = [
        "digraph {",
        'bgcolor="transparent" ranksep=0.25 nodesep=0.3',
        f'node [shape=box style="rounded,filled" penwidth=0 fontname="sans-serif" fontsize=11 '
        f'fontcolor="{INK}" margin="0.12,0.05"]',
        f'edge [color="{LINE}" arrowsize=0.6]',
        _node(IMAGE, f"image\\n{_shape_text(network.shape)}", OTHER_FILL),
    ]
    for step in network.steps[:MAX_DRAWN]:
        module = network.get_submodule(step.name)
        lines.append(_node(step.name, _label(step.name, module, step.shape), _fill(module)))
        for source in step.inputs:
            lines.append(f"{_quoted(source)} -> {_quoted(step.name)}")
    return "\n".join([*lines, "}"])


def _label(name: str, module: nn.Module, shape: Sequence[int]) -> str:
    kind = type(module).__name__
    own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    count = f"  {own:,} parameters" if own else ""
    return f"{name}\\n{kind}{_kernel_text(module)}  {_shape_text(shape)}{count}"


def _kernel_text(module: nn.Module) -> str:
    if not isinstance(module, nn.Conv2d):
        return ""
    height, width = module.kernel_size
    groups = f", {module.groups} groups" if module.groups > 1 else ""
    return f" {height}x{width}{groups}"


def _shape_text(shape: Sequence[int]) -> str:
    return "x".join(str(size) for size in shape)


def _fill(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d | nn.Linear):
        return PRUNABLE_FILL
    if isinstance(module, (*NORMS, nn.GroupNorm)):
        return NORM_FILL
    return JOIN_FILL if isinstance(module, JOINS) else OTHER_FILL


def _node(name: str, label: str, fill: str) -> str:
    return f'{_quoted(name)} [label="{_escaped(label)}" fillcolor="{fill}"]'


def _quoted(name: str) -> str:
    return f'"{_escaped(name)}"'


def _escaped(text: str) -> str:
    return text.replace('"', "'")
