"""Erdős-Rényi-kernel densities: small layers keep a larger share of their weights.

Mocanu et al. 2018, "Scalable training of artificial neural networks with adaptive sparse
connectivity"; for convolutions Evci et al. 2020, "Rigging the lottery".
"""

import math
from collections.abc import Mapping

LayerSizes = Mapping[str, tuple[tuple[int, ...], int]]


def erk_counts(layers: LayerSizes, sparsity: float) -> dict[str, int]:
    """Compute the number of weights to remove from each layer.

    The density of a layer is ``epsilon * sum(shape) / prod(shape)`` and at most 1. The same epsilon
    for all layers gives the requested total, exactly ``round(sparsity * n)``: the remainder of
    rounding goes to the layers with the largest fractional parts.

    Parameters
    ----------
    layers : mapping of str to (tuple of int, int)
        Shape of the weight and number of remaining weights of each layer.
    sparsity : float
        Share of the remaining weights to remove, between 0 and 1.

    Returns
    -------
    dict of str to int
        Number of weights to remove by layer.
    """
    sizes = {name: size for name, (_, size) in layers.items()}
    factors = {name: sum(shape) / math.prod(shape) for name, (shape, _) in layers.items()}
    number_to_remove = round(sparsity * sum(sizes.values()))
    dense, epsilon = _dense_layers(sizes, factors, number_to_remove)

    exact = {}
    for name, size in sizes.items():
        density = max(0.0, epsilon) * factors[name]
        exact[name] = 0.0 if name in dense else size * (1 - density)
    return _rounded(exact, sizes, number_to_remove)


def _dense_layers(
    sizes: Mapping[str, int], factors: Mapping[str, float], number_to_remove: int
) -> tuple[set[str], float]:
    """Find the layers that stay dense, and the epsilon of the others."""
    number_to_keep = sum(sizes.values()) - number_to_remove
    dense: set[str] = set()
    while True:
        sparse = {name: factors[name] * size for name, size in sizes.items() if name not in dense}
        epsilon = 0.0
        if sparse:
            kept_in_dense = sum(sizes[name] for name in dense)
            epsilon = (number_to_keep - kept_in_dense) / sum(sparse.values())
        full = {name for name in sparse if epsilon * factors[name] >= 1 - 1e-12}
        if not full:
            return dense, epsilon
        dense |= full


def _rounded(exact: Mapping[str, float], sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Round counts down, then raise those with the largest fractional parts up to the total."""
    counts = {name: min(sizes[name], math.floor(count + 1e-9)) for name, count in exact.items()}
    incomplete = [name for name in sizes if counts[name] < sizes[name]]
    incomplete.sort(key=lambda name: counts[name] - exact[name])
    remainder = total - sum(counts.values())
    for name in incomplete[:remainder]:
        counts[name] += 1
    return counts
