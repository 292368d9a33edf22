"""Whether two networks differ in accuracy, tested on the same images."""

from dataclasses import dataclass

from pruning.inference.accuracy import Tally

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class PairedTest:
    """The exact test of McNemar on the images that only one of two networks classifies correctly.

    McNemar (1947), "Note on the Sampling Error of the Difference Between Correlated Proportions
    or Percentages". If the networks are equally accurate, each of these images is as likely to be
    gained as to be lost.

    Parameters
    ----------
    lost : int
        Images that only the first network classifies correctly.
    gained : int
        Images that only the second one classifies correctly.
    """

    lost: int
    gained: int

    @property
    def difference(self) -> int:
        """Correct images of the second network minus those of the first."""
        return self.gained - self.lost

    @property
    def p_value(self) -> float:
        """Two-sided p-value, of the binomial distribution with probability 1/2."""
        from scipy.special import bdtr  # imported here because few commands need it

        differing = self.lost + self.gained
        tail = float(bdtr(min(self.lost, self.gained), differing, 0.5))
        return min(1.0, 2 * tail)

    @property
    def is_significant(self) -> bool:
        """Whether the p-value is below 0.05."""
        return self.p_value < SIGNIFICANCE


def paired_test(first: Tally, second: Tally) -> PairedTest | None:
    """Compare two networks on the same images.

    Parameters
    ----------
    first, second : Tally
        Results of the same first images of a split.

    Returns
    -------
    PairedTest or None
        None if only the counts of one of them are known.

    Raises
    ------
    ValueError
        The tallies are of different numbers of images.
    """
    if first.images != second.images:
        raise ValueError(f"{first.images} images cannot be paired with {second.images}")
    if first.hits is None or second.hits is None:
        return None
    lost = (first.hits & ~second.hits).bit_count()
    gained = (second.hits & ~first.hits).bit_count()
    return PairedTest(lost, gained)
