"""Greedy removal of the weights of linear maps, where each removal updates the other weights."""

from collections.abc import Iterator

import torch

from pruning.inference.thread_pool import run_in_threads
from pruning.runtime.progress import ShareReport, ignore_progress

BLOCK = 64
"""Removals between two updates of whole inverses."""
ROWS_PER_TASK = 8
"""Rows whose inverses are in memory for each thread."""


def removal_errors(
    weight: torch.Tensor, system: torch.Tensor, report: ShareReport = ignore_progress
) -> torch.Tensor:
    r"""Remove the weights of each row one by one, and return the error that each removal adds.

    A row w has the error :math:`\frac{1}{2} \Delta w^\top H \Delta w`. Each step removes the weight
    with the lowest :math:`w_j^2 / (2 [H_{SS}^{-1}]_{jj})`, where S are the remaining weights of the
    row, and updates the others by :math:`w_S \leftarrow w_S - [H_{SS}^{-1}]_{:j} \, w_j /
    [H_{SS}^{-1}]_{jj}` (Optimal Brain Compression, Frantar and Alistarh 2022, algorithm 1).

    Where a removal adds less than an earlier one of its row, its error is raised to the next number
    above the earlier error, so that the errors of a row ascend in the order of the removals, and
    the lowest errors of several rows are a valid set of removals, that of the paper's algorithm 2.

    Parameters
    ----------
    weight : torch.Tensor
        (rows, n); zeros are removed first.
    system : torch.Tensor
        H, symmetric positive definite, (n, n) float64.
    report : callable
        Called with the share of the weights that are removed; an exception that it raises ends the
        work.

    Returns
    -------
    torch.Tensor
        (rows, n) float32, the precision of sorted scores.
    """
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(system))
    chunks = weight.to(inverse.dtype).split(ROWS_PER_TASK)
    removals = [_Removal(chunk, inverse) for chunk in chunks]
    removed = 0
    for _, count in run_in_threads(removal.run() for removal in removals):
        assert isinstance(count, int)
        removed += count
        report(removed / weight.numel())
    return torch.cat([removal.errors for removal in removals])


class _Removal:
    """Some rows, all with the same number of remaining weights.

    Updating the inverse of a row after each removal would read and write all of it. Instead, the
    terms that the removals of a block subtract from it are kept as vectors f, each for f f^T. One
    product subtracts all of them at the end of the block. Within the block, the diagonal and the
    columns that are used are computed from them.
    """

    def __init__(self, weight: torch.Tensor, inverse: torch.Tensor) -> None:
        rows, n = weight.shape
        self.errors = torch.zeros(rows, n)
        self._latest = torch.full((rows,), -torch.inf)
        """Latest error of each row."""
        self._rows = torch.arange(rows)
        self._inputs = torch.arange(n).expand(rows, n)
        """Inputs of the remaining weights, (rows, remaining) int."""
        self._weight = weight.clone()
        self._inverse = inverse.expand(rows, n, n)
        """Inverses for the remaining weights, (rows, remaining, remaining)."""

    def run(self) -> Iterator[int]:
        """Remove all weights, and yield after each block how many it had."""
        while self._weight.numel():
            yield self._remove_block()

    def _remove_block(self) -> int:
        """Remove some weights of each row, and return their number."""
        remaining = self._weight.shape[1]
        steps = min(BLOCK, remaining)
        diagonal = self._inverse.diagonal(dim1=1, dim2=2).clone()
        removed = torch.zeros(self._weight.shape, dtype=torch.bool)
        factors = torch.zeros(len(self._rows), steps, remaining, dtype=self._weight.dtype)
        for step in range(steps):
            errors = self._weight.square() / (2 * diagonal)
            chosen = errors.masked_fill_(removed, torch.inf).argmin(1)
            self._record(chosen, errors[self._rows, chosen])
            removed[self._rows, chosen] = True
            column = self._column(chosen, factors[:, :step])
            pivot = column[self._rows, chosen]
            ratio = self._weight[self._rows, chosen] / pivot
            self._weight -= column * ratio[:, None]
            factors[:, step] = column / pivot.sqrt()[:, None]
            diagonal -= factors[:, step].square()
        self._keep(~removed, factors)
        return steps * len(self._rows)

    def _record(self, chosen: torch.Tensor, errors: torch.Tensor) -> None:
        """Store the errors (rows,) of the chosen weights, each above the row's latest one."""
        above_latest = self._latest.nextafter(torch.tensor(torch.inf))
        self._latest = torch.maximum(errors.float(), above_latest)
        self.errors[self._rows, self._inputs[self._rows, chosen]] = self._latest

    def _column(self, chosen: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        """Current column of each row's inverse, (rows, remaining)."""
        column = self._inverse[self._rows, chosen]
        shares = factors[self._rows, :, chosen]  # (rows, steps)
        return column - torch.bmm(shares[:, None], factors)[:, 0]

    def _keep(self, kept: torch.Tensor, factors: torch.Tensor) -> None:
        """Reduce all to the weights that remain, the same number in each row."""
        rows = len(self._rows)
        places = kept.nonzero()[:, 1].view(rows, -1)  # (rows, remaining)
        self._inputs = self._inputs.gather(1, places)
        self._weight = self._weight.gather(1, places)
        inverses = []
        for inverse, factor, place in zip(self._inverse, factors, places, strict=True):
            factor = factor[:, place]
            remaining = inverse.index_select(0, place).index_select(1, place)
            inverses.append(remaining.addmm_(factor.T, factor, alpha=-1))
        self._inverse = torch.stack(inverses)
