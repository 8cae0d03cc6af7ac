"""`tf.data.Dataset` as the data of Keras's `fit`, `evaluate` and `predict`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras.src.trainers.data_adapters import data_adapter, data_adapter_utils

from .data import Dataset
from .data.elements import leaves_of, to_numpy
from .structure import map_structure


def adapted(x: Any, class_weight: Any = None) -> Any:
    """A data set as an adapter of Keras's; all else as it is."""
    return DatasetAdapter(x, class_weight) if isinstance(x, Dataset) else x


class DatasetAdapter(data_adapter.DataAdapter):
    """The batches of a data set, one iteration of it for each epoch."""

    def __init__(self, dataset: Dataset, class_weight: Any = None) -> None:
        self._dataset = dataset
        self._class_weight = class_weight

    def get_numpy_iterator(self) -> Iterator[Any]:
        for batch in self._dataset.iterate():
            arrays = map_structure(to_numpy, batch)
            yield arrays if self._class_weight is None else self._weighted(arrays)

    def _weighted(self, arrays: Any) -> Any:
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(arrays)
        if sample_weight is not None:
            raise ValueError("`class_weight` and sample weights in the data set cannot be given together.")
        return x, y, data_adapter_utils.class_weight_to_sample_weights(y, self._class_weight)

    @property
    def num_batches(self) -> int | None:
        count = self._dataset._count()
        return count if count >= 0 else None

    @property
    def batch_size(self) -> int | None:
        first = leaves_of(self._dataset.element_spec)[0]
        return first.shape[0] if first.shape else None

    @property
    def has_partial_batch(self) -> None:
        return None

    @property
    def partial_batch_size(self) -> None:
        return None
