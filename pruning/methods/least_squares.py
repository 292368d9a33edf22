"""Ridge least squares of linear maps whose outputs may each depend on some of the inputs only."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from pruning.inference.thread_pool import run_in_threads

# Penalty in units of the inputs' mean variance: many inputs are nearly always zero, and a thousand
# images are few.
RIDGE = 1e-2
MIN_PENALTY = 1e-12  # weights of inputs that are all zero are those of the prior
ROWS_PER_TASK = 64
FEW_SUPPORTS = 4
"""Up to so many different supports, each is factorised once for all outputs that have it."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Means of inputs and outputs, and sums of the products of what differs from the means.

    All are float64. Products of centred values stay precise where the inputs hardly vary.

    Parameters
    ----------
    count : int
        Number of samples.
    mean_x, mean_y : torch.Tensor
        Mean input (inputs,) and mean output (outputs,).
    xx : torch.Tensor
        Sum of centred inputs times centred inputs, (inputs, inputs).
    xy : torch.Tensor
        Sum of centred inputs times centred outputs, (inputs, outputs).
    """

    count: int
    mean_x: torch.Tensor
    mean_y: torch.Tensor
    xx: torch.Tensor
    xy: torch.Tensor

    @classmethod
    def of(cls, x: torch.Tensor, y: torch.Tensor) -> "Moments":
        """Compute the moments of one batch; products are summed in the dtype of the batch.

        Parameters
        ----------
        x : torch.Tensor
            Inputs, (samples, inputs).
        y : torch.Tensor
            Outputs, (samples, outputs).

        Returns
        -------
        Moments
            Of these samples.
        """
        mean_x = x.mean(0, dtype=torch.float64)
        mean_y = y.mean(0, dtype=torch.float64)
        centred_x, centred_y = x - mean_x.to(x.dtype), y - mean_y.to(y.dtype)
        xx = (centred_x.T @ centred_x).double()
        xy = (centred_x.T @ centred_y).double()
        return cls(len(x), mean_x, mean_y, xx, xy)

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of the samples of both (Chan et al. 1983)."""
        count = self.count + other.count
        share = other.count / count
        change_x, change_y = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        between = self.count * share
        return Moments(
            count,
            self.mean_x + share * change_x,
            self.mean_y + share * change_y,
            self.xx + other.xx + between * torch.outer(change_x, change_x),
            self.xy + other.xy + between * torch.outer(change_x, change_y),
        )

    def second_moments(self, *, centred: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean products of inputs with inputs and with outputs.

        Parameters
        ----------
        centred : bool
            Whether the means are subtracted, which gives covariances.

        Returns
        -------
        xx : torch.Tensor
            (inputs, inputs).
        xy : torch.Tensor
            (inputs, outputs).
        """
        xx, xy = self.xx / self.count, self.xy / self.count
        if centred:
            return xx, xy
        mean_x, mean_y = self.mean_x, self.mean_y
        return xx + torch.outer(mean_x, mean_x), xy + torch.outer(mean_x, mean_y)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A fitted linear map, in float64.

    Parameters
    ----------
    weight : torch.Tensor
        (outputs, inputs).
    bias : torch.Tensor or None
        (outputs,); None if the map has none.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None


def ridge_fit(
    moments: Moments,
    *,
    prior: torch.Tensor | None = None,
    kept: torch.Tensor | None = None,
    has_bias: bool = True,
    ridge: float = RIDGE,
) -> LinearFit:
    r"""Fit a linear map with the least squared error and a penalty on the distance from a prior.

    Minimises :math:`\mathbb{E} \lVert y - W x - b \rVert^2 + \lambda \lVert W - W_0 \rVert^2` over
    the weights of the support S of each output; the others are zero. With the covariances H of the
    inputs and G of inputs and outputs, the weights of an output are
    :math:`w_S = (H_{SS} + \lambda I)^{-1} (g + \lambda w_0)_S`.

    Parameters
    ----------
    moments : Moments
        Of inputs and desired outputs.
    prior : torch.Tensor, optional
        Weights (outputs, inputs) that the penalty pulls to; zero by default.
    kept : torch.Tensor, optional
        Supports, (outputs, inputs) bool; all weights by default.
    has_bias : bool
        Whether the map has a bias, which has no penalty.
    ridge : float
        Penalty in units of the mean variance of the inputs; of their mean square without a bias.

    Returns
    -------
    LinearFit
        Weights outside the support are zero.
    """
    xx, xy = moments.second_moments(centred=has_bias)
    penalty = max(ridge * float(xx.diagonal().mean()), MIN_PENALTY)
    system = xx + penalty * torch.eye(len(xx), dtype=xx.dtype)
    targets = xy if prior is None else xy + penalty * prior.T.to(xy.dtype)
    if kept is None:
        kept = torch.ones(xy.shape[1], xy.shape[0], dtype=torch.bool)
    weight = solve_supports(system, targets, kept)
    bias = moments.mean_y - weight @ moments.mean_x if has_bias else None
    return LinearFit(weight, bias)


def solve_supports(system: torch.Tensor, targets: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Solve one linear system for each output, restricted to the inputs that the output keeps.

    Outputs with the same support share one factorisation. Otherwise an output with the support S
    takes a factorisation of the size of S or of its complement, whichever is smaller.

    Parameters
    ----------
    system : torch.Tensor
        Symmetric positive definite, (inputs, inputs).
    targets : torch.Tensor
        Right-hand sides, (inputs, outputs).
    kept : torch.Tensor
        Supports, (outputs, inputs) bool.

    Returns
    -------
    torch.Tensor
        (outputs, inputs); zero outside the support.
    """
    supports, support_of_output = kept.unique(dim=0, return_inverse=True)
    solution = torch.zeros(kept.shape, dtype=system.dtype)
    if len(supports) <= FEW_SUPPORTS:
        for number, support in enumerate(supports):
            outputs = (support_of_output == number).nonzero()[:, 0]
            inputs = support.nonzero()[:, 0]
            values = _solve(system[inputs][:, inputs], targets[inputs][:, outputs])
            solution[outputs[:, None], inputs] = values.T
        return solution
    rows = _RowSystems(system, targets, kept)
    tasks = (rows.solve(chunk) for chunk in torch.arange(len(kept)).split(ROWS_PER_TASK))
    for _, solved in run_in_threads(tasks):
        assert isinstance(solved, _SolvedRows)
        solution[solved.outputs] = solved.values
    return solution


@dataclass(frozen=True, eq=False)
class _SolvedRows:
    """Weights (n, inputs) of n outputs."""

    outputs: torch.Tensor
    values: torch.Tensor


class _RowSystems:
    """The systems of outputs that all have another support."""

    def __init__(self, system: torch.Tensor, targets: torch.Tensor, kept: torch.Tensor) -> None:
        self._system = system
        self._targets = targets
        self._kept = kept
        self._needs_inverse = bool((kept.float().mean(1) > 0.5).any())
        if self._needs_inverse:
            self._inverse = torch.cholesky_inverse(torch.linalg.cholesky(system))
            self._full_solution = self._inverse @ targets

    def solve(self, outputs: torch.Tensor) -> Iterator[_SolvedRows]:
        """Solve the systems of some outputs."""
        values = torch.zeros(len(outputs), len(self._system), dtype=self._system.dtype)
        for row, output in zip(values, outputs.tolist(), strict=True):
            kept = self._kept[output]
            inputs, removed = kept.nonzero()[:, 0], (~kept).nonzero()[:, 0]
            if len(removed) < len(inputs):
                row[inputs] = self._solve_by_complement(output, inputs, removed)
            else:
                matrix = _principal(self._system.index_select(0, inputs), inputs)
                row[inputs] = _solve(matrix, self._targets[inputs, output, None])[:, 0]
        yield _SolvedRows(outputs, values)

    def _solve_by_complement(
        self, output: int, inputs: torch.Tensor, removed: torch.Tensor
    ) -> torch.Tensor:
        """Correct the solution of the whole system so that it is zero at the removed inputs.

        The solution with ``w_R = 0`` is ``w - A_R (A_RR)^-1 w_R``, where A is the inverse of the
        system and w the solution of the whole system.
        """
        full = self._full_solution[:, output]
        if not len(removed):
            return full
        rows = self._inverse.index_select(0, removed)
        multipliers = _solve(_principal(rows, removed), full[removed, None])
        return (full - multipliers[:, 0] @ rows)[inputs]


def _principal(rows: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Select the columns of some rows of a symmetric matrix that have the same indices.

    The transpose is selected from, whose result is the same by symmetry: LAPACK needs no copy.
    """
    return rows.T.index_select(0, indices)


def _solve(matrix: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Solve a symmetric positive definite system, (n, n) and (n, m) -> (n, m)."""
    if not len(matrix):
        return targets
    return torch.cholesky_solve(targets, torch.linalg.cholesky(matrix))
