"""The result of the command ``prune`` as JSON and as text."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pruning.cost.latency import Latency
    from pruning.cost.report import CostReport
    from pruning.engine.evaluation import Evaluation
    from pruning.engine.onnx_file import OnnxCheck
    from pruning.engine.prune import PrunedNetwork

JSON_LAYER_COLUMNS = ["name", "weights", "kept", "sparsity", "threshold"]
TEXT_LAYER_COLUMNS = ["name", "shape", "weights", "kept", "sparsity", "threshold"]


def to_dict(pruned: "PrunedNetwork", evaluation: "Evaluation", seconds: float) -> dict[str, Any]:
    """Convert a result to JSON values.

    Parameters
    ----------
    pruned : PrunedNetwork
        The pruned network.
    evaluation : Evaluation
        Its evaluation.
    seconds : float
        Duration of pruning and evaluation.

    Returns
    -------
    dict
        ``parameters`` and ``macs`` are those that the masks keep.
    """
    from pruning.recipe.serialization import recipe_to_dict

    layers = pruned.layer_table[JSON_LAYER_COLUMNS].astype(object)
    units = []
    for result in pruned.step_results:
        units.append(
            {
                "method": result.method,
                "total": result.total,
                "removed": result.removed,
                "note": result.note or None,
            }
        )
    return {
        "recipe": recipe_to_dict(evaluation.recipe),
        "dense": {
            "accuracy": evaluation.dense_accuracy,
            "parameters": pruned.dense.parameters,
            "prunable_weights": pruned.dense.prunable_weights,
            "macs": pruned.dense.macs,
        },
        "pruned": {
            **_accuracy_to_dict(evaluation),
            "sparsity": evaluation.sparsity,
            "parameters": evaluation.masked.parameters,
            "macs": evaluation.masked.macs,
            "effective_parameters": evaluation.effective.parameters,
            "effective_macs": evaluation.effective.macs,
        },
        "units": units,
        "layers": layers.where(layers.notna(), None).to_dict("records"),
        "warnings": list(pruned.warnings),
        "seconds": round(seconds, 4),
    }


def _accuracy_to_dict(evaluation: "Evaluation") -> dict[str, Any]:
    low, high = evaluation.accuracy.interval
    return {
        "accuracy": evaluation.accuracy.value,
        "accuracy_low": low,
        "accuracy_high": high,
        "images": evaluation.accuracy.images,
    }


def add_recovery(content: dict[str, Any], recovered: "Evaluation", masked: "Evaluation") -> None:
    """Add the accuracy before recovery, as ``masked``, and what the recovery took.

    Parameters
    ----------
    content : dict
        JSON values of `to_dict`, whose ``pruned`` is after recovery; modified.
    recovered, masked : Evaluation
        After and before recovery.
    """
    content["masked"] = _accuracy_to_dict(masked)
    content["recovery"] = {
        "names": list(recovered.recipe.recovery),
        "images": recovered.recipe.calibration,
        "seconds": recovered.recovery_seconds,
    }


def add_removal(content: dict[str, Any], report: "CostReport") -> None:
    """Add the costs after physical removal, which replace those of the masks.

    Parameters
    ----------
    content : dict
        JSON values of `to_dict`; modified.
    report : CostReport
        Costs of the dense, the masked and the compact network.
    """
    assert report.dense.latency is not None and report.removed.latency is not None
    latency = {}
    for dense, removed in zip(report.dense.latency, report.removed.latency, strict=True):
        latency[f"batch_{dense.batch}"] = {
            "dense": _latency_to_dict(dense),
            "removed": _latency_to_dict(removed),
        }
    content["pruned"]["parameters"] = report.removed.parameters
    content["pruned"]["macs"] = report.removed.macs
    content["removed"] = {
        "max_logit_difference": report.difference,
        "images_compared": report.compared_images,
        "bytes": {name: cost.bytes for name, cost in report.forms.items()},
        "encoding": {name: cost.encoding for name, cost in report.forms.items()},
        "latency_ms": latency,
    }


def _latency_to_dict(latency: "Latency") -> dict[str, float | int]:
    return {
        "median": round(1000 * latency.median, 4),
        "low": round(1000 * latency.low, 4),
        "high": round(1000 * latency.high, 4),
        "runs": latency.runs,
    }


def to_text(
    pruned: "PrunedNetwork", evaluation: "Evaluation", masked_evaluation: "Evaluation | None" = None
) -> str:
    """Convert a result to text for a terminal.

    Parameters
    ----------
    pruned : PrunedNetwork
        The pruned network.
    evaluation : Evaluation
        Its evaluation, after recovery.
    masked_evaluation : Evaluation, optional
        Its evaluation before recovery, if the recipe has one.

    Returns
    -------
    str
        Totals, a table of the layers, and warnings.
    """
    dense, masked, effective = pruned.dense, evaluation.masked, evaluation.effective
    lines = [
        _accuracy_line(evaluation),
        *_recovery_lines(evaluation, masked_evaluation),
        f"sparsity    {evaluation.sparsity:.2%} of {dense.prunable_weights:,} prunable weights",
        f"parameters  {masked.parameters:,} of {dense.parameters:,} left (masks), "
        f"{evaluation.masked_compression:.2f}x smaller; "
        f"{effective.parameters:,} effective, {evaluation.effective_compression:.2f}x smaller",
        f"MACs        {masked.macs:,} of {dense.macs:,} left (masks); {effective.macs:,} effective",
    ]
    for result in pruned.step_results:
        line = f"{result.unit + 's':11} {result.removed:,} of {result.total:,} removed"
        if result.note:
            line += f"; {result.note}"
        lines.append(line)
    formatters = {"sparsity": "{:.2%}".format, "threshold": "{:.6f}".format}
    table = pruned.layer_table[TEXT_LAYER_COLUMNS].to_string(index=False, formatters=formatters)
    lines += ["", table]
    for warning in pruned.warnings:
        lines += ["", f"warning: {warning}"]
    return "\n".join(lines)


def _recovery_lines(evaluation: "Evaluation", masked: "Evaluation | None") -> list[str]:
    if masked is None:
        return []
    recipe, seconds = evaluation.recipe, evaluation.recovery_seconds
    line = f"recovery    {', '.join(recipe.recovery)} on {recipe.calibration:,} training images"
    if seconds is not None:
        line += f", {seconds:.2f} s"
    return [f"{line}; before it {masked.accuracy.value:.2%}"]


def _accuracy_line(evaluation: "Evaluation") -> str:
    accuracy = evaluation.accuracy
    line = f"accuracy    {accuracy.value:.2%} of {accuracy.images:,} test images"
    if not accuracy.complete:
        low, high = accuracy.interval
        line += f" (95% interval {low:.2%} to {high:.2%})"
    return f"{line}; dense {evaluation.dense_accuracy:.2%}"


def removal_to_text(report: "CostReport") -> str:
    """Convert the costs after physical removal to text for a terminal.

    Parameters
    ----------
    report : CostReport
        Costs of the dense, the masked and the compact network.

    Returns
    -------
    str
        A table, and remarks on it.
    """
    agreement = "the same" if report.agrees else "NOT THE SAME"
    lines = [
        "",
        report.table().to_string(index=False),
        "",
        f"logits of masked and removed: {agreement}, largest difference {report.difference:.1e} "
        f"on {report.compared_images:,} test images",
        *report.remarks,
    ]
    return "\n".join(lines)


def onnx_to_text(check: "OnnxCheck") -> str:
    """Describe what onnxruntime computes from a file.

    Parameters
    ----------
    check : OnnxCheck
        The comparison with PyTorch.

    Returns
    -------
    str
        One line.
    """
    return (
        f"ONNX: largest difference of a logit {check.largest_difference:.1e}, "
        f"{check.agreeing:,} of {check.images:,} predictions agree; one image takes "
        f"{1000 * check.onnx_seconds:.2f} ms in onnxruntime, "
        f"{1000 * check.torch_seconds:.2f} ms in PyTorch"
    )
