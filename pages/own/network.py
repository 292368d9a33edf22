"""A visitor's network: an architecture and weights, an ONNX file, or one of this application."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import streamlit as st
from torch import nn

from pages.own.data import draw_or_refuse
from pages.state.background_task import Task, TaskProgress, wait_for
from pages.state.messages import escape_markdown, sentence_of
from pages.state.own_networks import NETWORK, free_label, own_uploads, owner_of_uploads
from pages.state.session import SessionState, session
from pages.state.visitor import forget_upload
from pages.state.widgets import persistent, registry_select, segments
from pruning.data.datasets import DATASETS, Dataset
from pruning.engine.trained_network import measure_card
from pruning.figures.architecture_graph import MAX_DRAWN, architecture_graph
from pruning.models import NETWORKS, build, checkpoints
from pruning.models.architecture import (
    SHARED_LIMITS,
    architecture_from_dict,
    architecture_to_dict,
    planned_architecture,
)
from pruning.models.base import IMAGE_CHANNELS, IMAGE_SIZES, prunable
from pruning.models.graph import UnsupportedNetworkError, translate
from pruning.models.graph_network import GraphNetwork, macs_of
from pruning.models.onnx_import import network_from_onnx
from pruning.models.own_network import copy_matching_weights, load_weights, register_network
from pruning.runtime.json_reader import parse_json
from pruning.runtime.own_uploads import Upload
from pruning.runtime.progress import part_of

TASK = "own network"
FROM_JSON, FROM_ONNX, OF_PRUNESCOPE = "Architecture and weights", "ONNX file", "Of Prunescope"
SOURCES = (FROM_JSON, FROM_ONNX, OF_PRUNESCOPE)
RANDOM = "random weights"
EXAMPLE = "lenet5"
MAX_LABEL = 40
MAX_TEXT, MAX_PLANS = 300_000, 50
"""Characters of an architecture, and architectures that are kept while they are edited."""
TEXT_HEIGHT, DRAWING_HEIGHT = 420, 520
BUILT_SHARE = 0.3
"""Of the work, until the network is registered and its accuracy is measured."""

Build = Callable[[], nn.Module]
"""Makes the network, in the thread of a job."""


@dataclass(frozen=True)
class Source:
    """A network that can be made.

    Parameters
    ----------
    key : hashable
        What it depends on.
    build : callable
        ``build()`` makes it.
    label : str
        A name for people.
    uploads : tuple
        Files that are not needed any more when it is made.
    """

    key: Any
    build: Build
    label: str
    uploads: tuple[Any, ...] = ()


def choose_network(data: Dataset) -> Source | None:
    """Draw the choice of a network for images.

    Parameters
    ----------
    data : Dataset
        The images.

    Returns
    -------
    Source or None
        None if there is no network yet; the page says why.
    """
    source = segments("The network is", SOURCES, SessionState.own_source.key)
    if source == FROM_JSON:
        return _from_json(data)
    if source == FROM_ONNX:
        return _from_onnx(data)
    return _of_prunescope(data)


def _from_json(data: Dataset) -> Source | None:
    if session.architecture in (None, session.own_example):  # not edited yet
        session.architecture = session.own_example = _example(data)
    text_column, drawing = st.columns(2)
    with text_column:
        st.text_area(
            "Architecture (JSON)",
            height=TEXT_HEIGHT,
            max_chars=MAX_TEXT,
            help="Steps in order; each names its kind, its inputs (`x` is the image) and the "
            "settings of the module of PyTorch. The drawing follows what you type.",
            **persistent(SessionState.architecture.key),
        )
        st.file_uploader(
            "Open an architecture (.json)",
            "json",
            key=_key("json"),
            on_change=_open_architecture,
            args=[_key("json")],
        )
        weights = st.file_uploader(
            "Weights (.safetensors); without a file they are random, to be trained on Retrain",
            "safetensors",
            key=_key("weights"),
            help="Names of the tensors are those of the steps, followed by .weight, .bias, "
            ".running_mean and .running_var, as in the state dict of PyTorch.",
        )
    text = session.architecture or ""
    try:
        planned = _planned(text)
    except (ValueError, UnsupportedNetworkError) as error:
        with drawing:
            st.error(escape_markdown(f"{error}."))  # names of steps keep their first letter
        return None
    with drawing:
        draw_architecture(planned)

    def build_network() -> nn.Module:
        network = architecture_from_dict(parse_json(text, "the architecture"), SHARED_LIMITS)
        if weights is not None:
            load_weights(network, bytes(weights.getbuffer()))
        return network

    problem = _misfit(planned, data)
    if problem:
        st.error(escape_markdown(sentence_of(problem)))
        return None
    name = "My network"
    if weights is not None:
        name = weights.name.rpartition(".")[0]
    uploads = () if weights is None else (weights,)
    file = RANDOM if weights is None else weights.file_id
    return Source((FROM_JSON, text, file), build_network, name, uploads)


@lru_cache(maxsize=MAX_PLANS)
def _planned(text: str) -> GraphNetwork:
    """Return the network of a text without weights; other widgets of the page run it again."""
    return planned_architecture(parse_json(text, "the architecture"), SHARED_LIMITS)


def _example(data: Dataset) -> str:
    """Return the architecture of a small network for these images, or for digits."""
    fits = data.channels in IMAGE_CHANNELS and data.size in IMAGE_SIZES
    channels, size = (data.channels, data.size) if fits else (1, 28)
    model = build(EXAMPLE, channels=channels, size=size, classes=len(data.classes))
    return architecture_to_text(translate(model, (channels, size, size)))


def architecture_to_text(network: GraphNetwork) -> str:
    """Write an architecture for people: one step a line.

    Parameters
    ----------
    network : GraphNetwork
        Any network.

    Returns
    -------
    str
        JSON.
    """
    content = architecture_to_dict(network)
    steps = ",\n".join(f"  {json.dumps(step)}" for step in content["steps"])
    head = f'"format": {json.dumps(content["format"])},\n "shape": {json.dumps(content["shape"])}'
    return f'{{{head},\n "steps": [\n{steps}\n]}}\n'


def _key(name: str) -> str:
    return SessionState.own_widgets.of("network", name, session.own_files)


def _open_architecture(key: str) -> None:
    """Take over an uploaded architecture, in a callback."""
    upload = st.session_state.get(key)
    if upload is None:
        return
    session.own_files += 1  # the uploader of the next run has another key
    try:
        session.architecture = upload.getvalue().decode("utf-8")[: MAX_TEXT + 1]
    except UnicodeDecodeError:
        session.message = "The architecture is not a text file in UTF-8."
    forget_upload(upload)


def _from_onnx(data: Dataset) -> Source | None:
    upload = st.file_uploader(
        "ONNX file, with all weights inside (.onnx)",
        "onnx",
        key=_key("onnx"),
        help="One input (N, channels, height, width) of images as the network was trained with, "
        "one output (N, classes). The file is read as data: no code of it is run.",
    )
    if upload is None:
        st.caption(
            "In PyTorch: `torch.onnx.export(model.eval(), (images,), 'network.onnx', "
            "external_data=False)`."
        )
        return None

    def build_network() -> nn.Module:
        return network_from_onnx(bytes(upload.getbuffer()), SHARED_LIMITS)

    name = upload.name.rpartition(".")[0]
    return Source((FROM_ONNX, upload.file_id), build_network, name, (upload,))


def _of_prunescope(data: Dataset) -> Source | None:
    if data.channels not in IMAGE_CHANNELS or data.size not in IMAGE_SIZES:
        st.error(
            f"The networks of Prunescope take images of 28 or 32 pixels with 1 or 3 channels, "
            f"not {data.channels} x {data.size} x {data.size}."
        )
        return None
    names = [name for name in NETWORKS if NETWORKS[name].own is None]
    name = registry_select("Network of Prunescope", names, _key("shipped"), NETWORKS)
    trained_on = [dataset for network, dataset in checkpoints.shipped() if network == name]
    begin = _choose_weights(trained_on)

    def build_network() -> nn.Module:
        model = build(name, channels=data.channels, size=data.size, classes=len(data.classes))
        if begin != RANDOM:
            copy_matching_weights(model, checkpoints.load(name, begin))
        return model.eval()

    planned = translate(build_network(), (data.channels, data.size, data.size))
    draw_architecture(planned)
    label = f"{NETWORKS[name].label} for {data.label}"
    return Source((OF_PRUNESCOPE, name, begin), build_network, label)


def _choose_weights(names: list[str]) -> str:
    """Draw the choice of the weights that a network begins with: `RANDOM`, or of a dataset."""
    return st.selectbox(
        "It begins with",
        [RANDOM, *names],
        key=_key("begin"),
        format_func=_weights_label,
        help="Weights of layers whose shapes differ, such as the last one for another number of "
        "classes, begin at random. Train the network on Retrain.",
    )


def _weights_label(name: str) -> str:
    if name == RANDOM:
        return "Random weights"
    return f"Weights trained on {DATASETS[name].label}"


def _misfit(network: GraphNetwork, data: Dataset) -> str:
    """Return why a network does not go with images; empty if it does."""
    shape = (data.channels, data.size, data.size)
    if network.shape != shape:
        return f"the network takes images of shape {network.shape}, and these are {shape}"
    outputs = network.steps[-1].shape[0]
    if outputs != len(data.classes):
        return f"the network has {outputs} outputs, and the images have {len(data.classes)} classes"
    return ""


def draw_architecture(network: GraphNetwork) -> None:
    """Draw the steps of a network, and what it costs.

    Parameters
    ----------
    network : GraphNetwork
        Its parameters may have no values.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    macs = 0
    for step in network.steps:
        macs += macs_of(network.get_submodule(step.name), step.shape)
    layers = len(prunable(network))
    st.caption(
        f"{len(network.steps)} steps, {layers} layers with prunable weights; {parameters:,} "
        f"parameters, {macs:,} multiply-accumulates for an image."
    )
    with st.container(height=DRAWING_HEIGHT, key="architecture drawing"):
        st.graphviz_chart(
            architecture_graph(network),
            alt=f"Graph of the {len(network.steps)} steps of the network, from the image to the "
            "logits",
        )
    if len(network.steps) > MAX_DRAWN:
        st.caption(f"The drawing shows the first {MAX_DRAWN} steps.")


def prepare_network(source: Source, data: Dataset) -> None:
    """Draw the button that makes a network ready, and what came of it.

    Parameters
    ----------
    source : Source
        The network.
    data : Dataset
        Its images.
    """
    label = st.text_input(
        "Name of the network", source.label[:MAX_LABEL], MAX_LABEL, key=_key(f"name {source.label}")
    )
    task = _task(source, data, label.strip() or "My network")
    name = wait_for(task)
    if name is None:
        draw_or_refuse(task, NETWORK)
        return
    for upload in source.uploads:
        forget_upload(upload)
    session.own_files += 1  # the next run has other uploaders and another task
    session.own_pair = (name, data.name)
    st.rerun()


def _task(source: Source, data: Dataset, label: str) -> Task:
    owner = owner_of_uploads()
    uploads = own_uploads()

    def work(report: Callable[[TaskProgress], None]) -> str:
        def report_share(share: float) -> None:
            report(TaskProgress(share))

        model = source.build()
        problem = _misfit(model, data) if isinstance(model, GraphNetwork) else ""
        if problem:
            raise UnsupportedNetworkError(problem)
        free = free_label(NETWORK, label, owner)
        network = register_network(model, (data.channels, data.size, data.size), free)
        assert network.own is not None
        size = sum(tensor.nbytes for tensor in network.own.model.state_dict().values())
        # Nothing may fail in between: what is registered and not kept would never be deleted.
        uploads.keep(owner, Upload(NETWORK, network.name, free, size))
        report_share(BUILT_SHARE)
        measure_card(network.name, data.name, part_of(report_share, BUILT_SHARE, 1.0))
        return network.name

    return Task(
        name=TASK,
        key=(TASK, owner, session.visitor, session.own_files, source.key, label, data.name),
        work=work,
        label="Use this network",
        icon=":material/check:",
        subject="The network",
        done="used",
    )
