"""Records of a run that never was, for the tests of figures."""

from pruning.training.record import HISTOGRAM_BINS, EpochRecord


def record(epoch: int, series: str = "") -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        round=1,
        series=series,
        loss=1 / epoch,
        train_accuracy=0.9,
        validation_accuracy=0.8 + epoch / 100,
        sparsity=epoch / 10,
        near_zero=0.5,
        learning_rate=0.1 / epoch,
        steps=10,
        seconds=1.0,
        layer_sparsity={"conv1": epoch / 20, "fc1": epoch / 10},
        histogram=tuple(range(epoch, epoch + HISTOGRAM_BINS)),
    )
