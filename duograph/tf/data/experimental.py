"""`tf.data.experimental`: names from before they were methods of `Dataset`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..missing import missing
from ..tensors import Tensor
from .dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from .files import CsvDataset

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "CsvDataset", "assert_cardinality",
    "bucket_by_sequence_length", "cardinality", "choose_from_datasets", "enumerate_dataset", "get_single_element",
    "group_by_window", "sample_from_datasets", "scan", "take_while", "unbatch", "unique",
]  # fmt: skip

choose_from_datasets = Dataset.choose_from_datasets
sample_from_datasets = Dataset.sample_from_datasets


def assert_cardinality(expected_cardinality: int) -> Callable[[Dataset], Dataset]:
    """For `apply`: a data set that is known to have this many elements. The number is believed."""
    count = int(expected_cardinality)
    return lambda dataset: Dataset(dataset.iterate, count, lambda: dataset.element_spec)


def cardinality(dataset: Dataset) -> Tensor:
    """`dataset.cardinality()`."""
    return dataset.cardinality()


def get_single_element(dataset: Dataset) -> Any:
    """`dataset.get_single_element()`."""
    return dataset.get_single_element()


def _for_apply(method: str) -> Callable[..., Callable[[Dataset], Dataset]]:
    def make(*args: Any, **kwargs: Any) -> Callable[[Dataset], Dataset]:
        return lambda dataset: getattr(dataset, method)(*args, **kwargs)

    make.__name__ = method
    make.__doc__ = f"For `apply`: `Dataset.{method}`."
    return make


bucket_by_sequence_length = _for_apply("bucket_by_sequence_length")
enumerate_dataset = _for_apply("enumerate")
group_by_window = _for_apply("group_by_window")
scan = _for_apply("scan")
take_while = _for_apply("take_while")
unbatch = _for_apply("unbatch")
unique = _for_apply("unique")

__getattr__ = missing(__name__, globals())
