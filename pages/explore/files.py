"""Files of the pruned network: ONNX, PyTorch, and a report."""

from collections.abc import Callable

import streamlit as st

from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.messages import escape_markdown, sentence
from pages.state.session import SessionState
from pages.state.widgets import segments
from pruning.engine.network_file import FILE_KINDS, NetworkFile, make_file
from pruning.engine.onnx_file import OnnxCheck
from pruning.engine.trained_network import cache_key
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.installation import check_onnx_installed

TASK = "file"
SMALLER, WITH_ZEROS = "without the removed units", "with zeros"
FORMS = (SMALLER, WITH_ZEROS)
CONTENTS = {
    "ONNX": "One file that takes pixels from 0 to 1 and gives logits, compared with onnxruntime on "
    "all test images.",
    "PyTorch": "A ZIP archive: the smaller network as JSON and safetensors, with a program that "
    "loads it in plain PyTorch, the masks, and the network with zeros, dense and as compressed "
    "sparse rows.",
    "Report": "One HTML page with accuracies, costs, figures, layers, the recipe, hashes and "
    "versions.",
}


def await_and_draw_files(recipe: Recipe) -> None:
    """Draw what makes a file of the network, and the file when it is made.

    Parameters
    ----------
    recipe : Recipe
        The recipe that the page shows.
    """
    with st.expander("Files of this network"):
        kind = segments("File", list(FILE_KINDS), SessionState.file_kind.key)
        form = SMALLER
        if FILE_KINDS[kind].has_forms:
            form = segments("Network", FORMS, SessionState.file_form.key)
        st.caption(CONTENTS[kind])
        if FILE_KINDS[kind].needs_onnx:
            try:
                check_onnx_installed()
            except PrunescopeError as error:
                st.info(escape_markdown(sentence(error)))
                return
        task = _task(recipe, kind, remove=form == SMALLER)
        made = wait_for(task)
        if made is None:
            draw_task(task)
        else:
            _draw_file(made, recipe, kind)


def _task(recipe: Recipe, kind: str, *, remove: bool) -> Task:
    def work(report: Callable[[TaskProgress], None]) -> NetworkFile:
        def check() -> None:
            report(TaskProgress(0.0))

        return make_file(recipe, kind, remove=remove, check=check)

    return Task(
        name=TASK,
        key=(TASK, cache_key(recipe), kind, remove),
        in_process=True,
        work=work,
        label="Make the file",
        icon=":material/file_export:",
        subject="The file",
        done="made",
        progress_text="Making the file in a process of its own, some seconds",
    )


def _draw_file(made: NetworkFile, recipe: Recipe, kind: str) -> None:
    file_kind = FILE_KINDS[kind]
    size = len(made.content)
    st.download_button(
        f"Download {kind} ({size / 1e6:.2f} MB)",
        made.content,
        f"{recipe.network}-pruned.{file_kind.extension}",
        file_kind.mime,
        on_click="ignore",
        icon=":material/download:",
    )
    if "onnx" in made.result:
        st.caption(_verdict(OnnxCheck(**made.result["onnx"])))


def _verdict(check: OnnxCheck) -> str:
    return (
        f"Compared with onnxruntime on {check.images:,} test images: {check.agreeing:,} "
        "predictions agree, the largest difference of a logit is "
        f"{check.largest_difference:.1e}. One image takes "
        f"{1000 * check.onnx_seconds:.2f} ms in onnxruntime and "
        f"{1000 * check.torch_seconds:.2f} ms in PyTorch, on one thread of this machine."
    )
