"""Training with a penalty that makes weights small or zero, then pruning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.models import NETWORKS
from pruning.training.losses import PENALTIES
from pruning.training.schedules.base import Option, schedule

if TYPE_CHECKING:
    from pruning.training.run import Run
    from pruning.training.spec import RunSpec


def _check(spec: RunSpec) -> None:
    """Refuse the penalty of batch norms for a network without them."""
    if spec.option("penalty") == "batch_norm" and not NETWORKS[spec.recipe.network].residual:
        raise ValueError("the penalty batch_norm needs a network with batch norms")


@schedule(
    "sparsify",
    label="Sparsify",
    source="L1: Tibshirani 1996; group lasso: Wen et al. 2016; batch-norm scales: Liu et al. 2017",
    help="Trains with a penalty on the weights and prunes afterwards. L1 makes weights zero, L2 "
    "only makes them small; the group lasso makes whole filters zero.",
    total_epochs=lambda spec: spec.epochs + spec.option("epochs_after"),
    check=_check,
    options=(
        Option(
            "penalty",
            "Penalty",
            "l1 and l2: of the weights; batch_norm: L1 of the batch-norm scales; group_lasso: "
            "norms of the filters.",
            default="l1",
            choices=("l1", "l2", "batch_norm", "group_lasso"),
        ),
        Option(
            "strength",
            "Strength λ",
            "Factor of the penalty in the loss.",
            default=1e-4,
            least=0.0,
            most=100.0,
        ),
        Option(
            "epochs_after",
            "Epochs after pruning",
            "Epochs of training without the penalty after pruning.",
            default=0,
            least=0,
            most=1_000,
            is_whole=True,
        ),
    ),
)
def sparsify(run: Run) -> None:
    """Train with a penalty, prune, and train without it."""
    spec = run.spec
    penalty = PENALTIES[spec.option("penalty")]
    run.train(spec.epochs, penalty=penalty, penalty_strength=spec.option("strength"))
    run.prune(recover=False)
    epochs_after = spec.option("epochs_after")
    if epochs_after:
        run.train(epochs_after, round=2)
