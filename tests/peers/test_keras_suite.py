"""A fast and broad part of Keras's own tests on Duograph, against the tables of `tests.peers.keras_suite`.

`python -m tests.peers.keras_suite --update` runs all of them on both engines and writes the tables anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow")  # some of Keras's tests need it

from tests.peers import keras_suite

FAST = [
    "activations", "backend/common/dtypes_test.py", "backend/common/keras_tensor_test.py", "constraints",
    "dtype_policies/dtype_policy_test.py", "initializers", "layers/activations", "layers/attention/attention_test.py",
    "layers/attention/multi_head_attention_test.py", "layers/convolutional/conv_transpose_test.py",
    "layers/core/dense_test.py", "layers/layer_test.py", "layers/merging", "layers/normalization", "layers/pooling",
    "layers/regularization", "layers/reshaping", "layers/rnn", "losses", "metrics", "models/functional_test.py",
    "models/sequential_test.py", "ops/core_test.py", "ops/linalg_test.py", "ops/math_test.py", "ops/nn_test.py",
    "optimizers", "random", "saving/saving_api_test.py", "saving/serialization_lib_test.py",
    "trainers/compile_utils_test.py", "trainers/epoch_iterator_test.py", "tree",
]  # fmt: skip
"""Files and folders of `keras/src`: a third of the cases, in some ninety seconds of one core."""


def test_the_tables_say_enough() -> None:
    """What passes on PyTorch passes here, but for two cases in a hundred, and there is a reason for each."""
    on_torch = sum(file["passed"] for file in keras_suite.passing_on_torch()["files"].values())
    expected = keras_suite.expected_failures()
    assert on_torch > 10_000
    assert len(expected) <= 0.02 * on_torch
    assert keras_suite.UNKNOWN not in expected.values()


def test_fast_part(tmp_path: Path) -> None:
    """No case fails that passes on PyTorch, but for those that are listed."""
    outcomes = keras_suite.run_together("duograph", FAST, tmp_path / "outcomes.jsonl")
    on_torch, _, worse = keras_suite.compare(outcomes, keras_suite.passing_on_torch()["files"])
    assert on_torch > 2_500
    expected = keras_suite.expected_failures()
    assert {name: outcome.error for name, outcome in worse.items() if name not in expected} == {}
