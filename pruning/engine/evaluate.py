"""Recipes to evaluations: the only way from a recipe to an accuracy, always through the store.

Each recipe gets an estimate soon, what several recipes have in common is computed once, and every
result is stored.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import torch
from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine import store
from pruning.engine.cluster import MIN_RECIPES, cluster_address, evaluate_on_cluster
from pruning.engine.evaluation import Evaluation
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import prune, trained_model
from pruning.engine.pruned_network import PrunedNetwork
from pruning.engine.recover import recover
from pruning.engine.stored_result import StoredResult
from pruning.inference.accuracy import Tally
from pruning.inference.classification_messages import SplitImages
from pruning.inference.classification_process import classify_split
from pruning.inference.classify import BatchTally, Replacements, default_batch_size
from pruning.inference.device import device_of_sweeps
from pruning.inference.stacked import classify_stacked
from pruning.inference.thread_pool import SuspensionPoint
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress

REPORT_INTERVAL_S = 0.02
SAVE_INTERVAL_S = 5.0
MAX_PARAMETER_BYTES = 24_000_000
"""Limit on the masked parameters in memory at a time; oneDNN holds packed copies in addition."""
PROCESSOR = torch.device("cpu")
SCORING_SHARE = 0.1
"""Approximate share of the work that masks and costs take."""


@dataclass(frozen=True)
class EvaluationProgress:
    """Evaluations so far.

    Parameters
    ----------
    evaluations : tuple of Evaluation or None
        In the order of the recipes; None until the first images of a recipe are classified.
    share : float
        Share of the work that is done.
    """

    evaluations: tuple[Evaluation | None, ...]
    share: float


ProgressReport = Callable[[EvaluationProgress], None]
"""Called with the progress; an exception that it raises ends the work."""


def evaluate(
    recipes: Sequence[Recipe],
    split: str = "test",
    precision: float | None = None,
    report: ProgressReport = ignore_progress,
) -> tuple[Evaluation, ...]:
    """Prune and classify, or read from the store what is known.

    Parameters
    ----------
    recipes : sequence of Recipe
        One recipe or thousands, of any networks.
    split : str
        ``"test"``, or ``"validation"`` where something is chosen by the result.
    precision : float, optional
        A recipe is done once the half-width of its 95% interval is below this value; by default,
        all images are classified, or as many as the recipe asks for.
    report : callable
        Called about every 20 ms. Results are stored even if it raises an exception.

    Returns
    -------
    tuple of Evaluation
        In the order of the recipes.

    Raises
    ------
    ValueError
        The precision is out of range.
    CheckpointError, DatasetError
        A trained network or its data are missing or broken.
    """
    if precision is not None and not 0 < precision < 1:
        raise ValueError(f"precision must be between 0 and 1, such as 0.01, not {precision}")
    state = _EvaluationState(recipes, split, precision, report)
    try:
        state.load_stored()
        state.evaluate_on_cluster()
        state.prune_missing()
        state.classify_unfinished()
        report(state.progress)
    finally:
        state.save()
    return tuple(state.evaluations[recipe] for recipe in recipes)


def evaluate_with_dense(recipe: Recipe, report: ProgressReport = ignore_progress) -> Evaluation:
    """Evaluate a recipe and, once its accuracy is complete, the network before pruning.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    report : callable
        Called about every 20 ms, with the evaluation of the recipe.

    Returns
    -------
    Evaluation
        With `dense_tally`, if it is complete.
    """
    [evaluation] = evaluate([recipe], report=report)
    if not evaluation.accuracy.complete:
        return evaluation

    def report_recipe(progress: EvaluationProgress) -> None:
        report(EvaluationProgress((evaluation,), 1.0))

    [dense] = evaluate([recipe.unpruned], report=report_recipe)
    return replace(evaluation, dense_tally=dense.tally)


def validation_accuracy(recipe: Recipe, report: ShareReport = ignore_progress) -> float:
    """Return the accuracy on all validation images.

    For choosing, where the test images must not be used.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    report : callable
        Called with the share of the images that are classified.

    Returns
    -------
    float
        Correctly classified images / all validation images.
    """

    def report_progress(progress: EvaluationProgress) -> None:
        report(progress.share)

    [evaluation] = evaluate([recipe], "validation", report=report_progress)
    return evaluation.accuracy.value


class _EvaluationState:
    """Evaluations in progress.

    Every tally is of the first images of the split, in whole batches, so that it can be continued.
    """

    def __init__(
        self, recipes: Sequence[Recipe], split: str, precision: float | None, report: ProgressReport
    ) -> None:
        self.recipes = recipes
        self.split = split
        self.precision = precision
        self.report = report
        self.images = {name: datasets.load(name, split) for name in _datasets_of(recipes)}
        self.image_counts = {recipe: self._image_count(recipe) for recipe in recipes}
        self.evaluations: dict[Recipe, Evaluation] = {}
        self.stored_images: dict[Recipe, int] = {}
        self.kept_networks: dict[Recipe, MaskedNetwork] = {}  # pruned and not yet classified
        self.kept_bytes = 0
        self.last_report = self.last_save = time.perf_counter()

    def _image_count(self, recipe: Recipe) -> int:
        available = len(self.images[recipe.dataset])
        if self.split != "test" or recipe.max_test_images is None:
            return available
        return min(recipe.max_test_images, available)

    @property
    def progress(self) -> EvaluationProgress:
        """What has been computed so far."""
        classified = sum(self._classified_images(recipe) for recipe in self.image_counts)
        pruned_share = len(self.evaluations) / max(1, len(self.image_counts))
        classified_share = classified / max(1, sum(self.image_counts.values()))
        share = SCORING_SHARE * pruned_share + (1 - SCORING_SHARE) * classified_share
        return EvaluationProgress(
            tuple(self._with_images(recipe) for recipe in self.recipes), share
        )

    def _classified_images(self, recipe: Recipe) -> int:
        """Images classified; all of them for a recipe that is done."""
        if recipe not in self.evaluations:
            return 0
        if self._is_done(recipe):
            return self.image_counts[recipe]
        return self.evaluations[recipe].tally.images

    def _with_images(self, recipe: Recipe) -> Evaluation | None:
        evaluation = self.evaluations.get(recipe)
        return evaluation if evaluation and evaluation.tally.images else None

    def _is_done(self, recipe: Recipe) -> bool:
        evaluation = self.evaluations[recipe]
        if evaluation.tally.images >= self.image_counts[recipe]:
            return True
        if self.precision is None or not evaluation.tally.images:
            return False
        return evaluation.accuracy.half_width < self.precision

    def load_stored(self) -> None:
        """Read what the store has of each recipe."""
        for recipe in self.image_counts:
            stored = store.get(recipe, self.split, self.image_counts[recipe])
            if stored is not None and (stored.tally.hits is not None or not self._needs_hits):
                self._add_stored(recipe, stored)

    def _add_stored(self, recipe: Recipe, stored: StoredResult) -> None:
        masked, effective = stored.masked, stored.effective
        needs_effective = effective is None and self._needs_effective
        if masked is None or needs_effective:
            pruned = self._prune(recipe)
            masked = masked or pruned.masked
            effective = pruned.effective if needs_effective else effective
        evaluation = Evaluation(
            recipe=recipe,
            split=self.split,
            tally=stored.tally,
            total=len(self.images[recipe.dataset]),
            sparsity=stored.sparsity,
            removed_share=stored.removed_share,
            masked=masked,
            known_effective=effective,
            recovery_seconds=stored.recovery_seconds,
        )
        self.evaluations[recipe] = evaluation
        is_unchanged = (stored.masked, stored.effective) == (masked, effective)
        if is_unchanged:  # otherwise it is stored again, with its costs
            self.stored_images[recipe] = stored.tally.images
        can_continue = stored.tally.images % default_batch_size(trained_model(recipe)) == 0
        if not self._is_done(recipe) and not can_continue:
            self.evaluations[recipe] = replace(evaluation, tally=Tally())

    def evaluate_on_cluster(self) -> None:
        """Let a cluster evaluate what is not done, if there is one and it pays."""
        if not cluster_address():
            return
        missing = []
        for recipe in self.image_counts:
            if recipe not in self.evaluations or not self._is_done(recipe):
                missing.append(recipe)
        if len(missing) < MIN_RECIPES:
            return
        results = evaluate_on_cluster(missing, self.split, self.precision, self._report_sometimes)
        with closing(results):  # at once where a report raises an exception
            for recipe, result in results:
                self._add_stored(recipe, result)
                self.stored_images.pop(recipe, None)  # it is to be stored

    def prune_missing(self) -> None:
        """Find masks and costs of the recipes that the store does not have."""
        for recipe in self.image_counts:
            if recipe not in self.evaluations:
                self.evaluations[recipe] = self._unclassified(recipe)
                self._report_sometimes()

    @property
    def _needs_effective(self) -> bool:
        """Whether there are several recipes: their figures need all effective costs.

        That of a single recipe, as for every move of a slider, is computed on demand.
        """
        return len(self.recipes) > 1

    @property
    def _needs_hits(self) -> bool:
        """Whether there is one recipe on test images, which may be compared with the dense network.

        Results of earlier versions have counts only.
        """
        return len(self.recipes) == 1 and self.split == "test"

    def _prune(self, recipe: Recipe) -> PrunedNetwork:
        """Prune, with reports while scores that are not cached are computed.

        The masked network is kept for the classification, up to `MAX_PARAMETER_BYTES`.
        """
        pruned = prune(recipe, lambda share: self._report_sometimes())
        if self.kept_bytes < MAX_PARAMETER_BYTES:
            self.kept_networks[recipe] = pruned.network
            self.kept_bytes += _parameter_bytes(pruned.network)
        return pruned

    def _masked_network(self, recipe: Recipe) -> MaskedNetwork:
        """Take the kept masked network of a recipe, or prune again."""
        if recipe in self.kept_networks:
            return self.kept_networks.pop(recipe)
        return prune(recipe, lambda share: self._report_sometimes()).network

    def _recovered_network(self, recipe: Recipe) -> MaskedNetwork:
        """Apply the recoveries of a recipe, if it has any, with reports meanwhile."""
        masked = self._masked_network(recipe)
        recovered = recover(recipe, masked, lambda share: self._report_sometimes())
        if recovered.seconds is not None:
            evaluation = self.evaluations[recipe]
            self.evaluations[recipe] = replace(evaluation, recovery_seconds=recovered.seconds)
        return recovered.network

    def _unclassified(self, recipe: Recipe) -> Evaluation:
        pruned = self._prune(recipe)
        return Evaluation(
            recipe=recipe,
            split=self.split,
            tally=Tally(),
            total=len(self.images[recipe.dataset]),
            sparsity=pruned.sparsity,
            removed_share=pruned.removed_share,
            masked=pruned.masked,
            known_effective=pruned.effective if self._needs_effective else None,
        )

    def classify_unfinished(self) -> None:
        """Classify images by all networks that are not done, as many at a time as memory allows."""
        members: list[_Member] = []
        size = 0
        for recipe in self.image_counts:
            if self._is_done(recipe):
                continue
            member = _Member(recipe, self._recovered_network(recipe))
            members.append(member)
            size += _parameter_bytes(member.network)
            # A recovered network shares no stage with others: it is classified at once.
            if size > MAX_PARAMETER_BYTES or member.network.is_recovered:
                self._classify_members(members)
                members, size = [], 0
        self._classify_members(members)

    def _classify_members(self, members: Sequence["_Member"]) -> None:
        """Classify by networks that fit in memory: together if they share model and images."""
        groups: dict[tuple[nn.Module, int], list[_Member]] = {}
        for member in members:
            key = (member.network.model, self.image_counts[member.recipe])
            groups.setdefault(key, []).append(member)
        for (_, image_count), group in groups.items():
            self._classify_group(group, image_count)

    def _classify_group(self, group: Sequence["_Member"], image_count: int) -> None:
        recipes = [member.recipe for member in group]
        events = self._classify(
            group[0].network.model,
            [member.network.masked_parameters() for member in group],
            SplitImages(recipes[0].dataset, self.split, image_count),
            skip=[self.evaluations[recipe].tally.images for recipe in recipes],
            is_done=lambda member: self._is_done(recipes[member]),
        )
        with closing(events):  # at once where a report raises an exception
            for event in events:
                if isinstance(event, BatchTally):
                    evaluation = self.evaluations[recipes[event.member]]
                    tally = evaluation.tally + event.tally
                    self.evaluations[evaluation.recipe] = replace(evaluation, tally=tally)
                self._report_sometimes()

    def _classify(
        self,
        model: nn.Module,
        replacements: Sequence[Replacements],
        images: SplitImages,
        skip: Sequence[int],
        is_done: Callable[[int], bool],
    ) -> Generator[BatchTally | SuspensionPoint]:
        """Classify many recipes on the device of sweeps, and few on the processor."""
        is_sweep = len(self.image_counts) >= MIN_RECIPES
        device = device_of_sweeps() if is_sweep else PROCESSOR
        if device == PROCESSOR:
            return classify_split(model, replacements, images, skip=skip, is_done=is_done)
        return classify_stacked(
            model,
            replacements,
            images.load(),
            DATASETS[images.dataset],
            device=device,
            skip=skip,
            is_done=is_done,
        )

    def _report_sometimes(self) -> None:
        now = time.perf_counter()
        if now - self.last_report >= REPORT_INTERVAL_S:
            self.report(self.progress)
            self.last_report = time.perf_counter()
        if now - self.last_save >= SAVE_INTERVAL_S:
            self.save()

    def save(self) -> None:
        """Store what is new."""
        new = []
        for recipe, evaluation in self.evaluations.items():
            if evaluation.tally.images > self.stored_images.get(recipe, 0):
                new.append(evaluation)
        are_unfinished = [not self._is_done(evaluation.recipe) for evaluation in new]
        if new and store.put(new, are_unfinished=are_unfinished):
            for evaluation in new:
                self.stored_images[evaluation.recipe] = evaluation.tally.images
        self.last_save = time.perf_counter()


@dataclass(frozen=True, eq=False)
class _Member:
    """One of several networks that classify together."""

    recipe: Recipe
    network: MaskedNetwork


def _parameter_bytes(network: MaskedNetwork) -> int:
    """Approximate memory of the masked parameters: a mask has a byte per weight, float32 four."""
    return 4 * network.bytes


def _datasets_of(recipes: Sequence[Recipe]) -> set[str]:
    return {recipe.dataset for recipe in recipes}
