import pytest

from pruning.engine import evaluate as evaluate_module
from pruning.inference.classify import BatchTally


@pytest.fixture
def empty_store(tmp_path, monkeypatch):
    """A store of the test's own."""
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "store" / "results.sqlite"))


@pytest.fixture
def classified(monkeypatch) -> list[int]:
    """Number of images of every batch that `evaluate` classifies."""
    batches: list[int] = []
    classify = evaluate_module.classify_split

    def recording(*args, **options):
        for event in classify(*args, **options):
            if isinstance(event, BatchTally):
                batches.append(event.tally.images)
            yield event

    monkeypatch.setattr(evaluate_module, "classify_split", recording)
    return batches
