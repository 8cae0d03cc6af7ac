"""Hostile and broken files of Keras's formats, failed saves, and data sets from Keras's cache."""

from __future__ import annotations

import contextlib
import io
import socket
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf

keras: Any = tf.keras


def _model(*more: Any) -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), *more])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    _model().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def _rewritten(saved: Path, members: dict[str, bytes], without: str = "") -> Path:
    """The archive with some members left out and others added."""
    other = saved.with_name("other.keras")
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            if name != without:
                target.writestr(name, source.read(name))
        for name, content in members.items():
            target.writestr(name, content)
    return other


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("member", ["../escaped.txt", "assets/../../escaped.txt", "/{root}/escaped.txt"])
def test_a_member_that_leads_out_of_the_archive_is_not_written(saved: Path, member: str) -> None:
    member = member.replace("/{root}", str(saved.parent))
    with contextlib.suppress(ValueError, OSError):  # it may be refused, or passed over
        keras.models.load_model(_rewritten(saved, {member: b"out"}))
    assert not list(saved.parent.parent.rglob("escaped.txt"))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_a_truncated_archive_is_refused(saved: Path, part: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ValueError, match="accessible `.keras` zip file"):
        keras.models.load_model(saved)


def test_pickled_objects_are_not_loaded(saved: Path) -> None:
    """An array of objects is a pickle, and a pickle is a program."""
    content = io.BytesIO()
    stored: dict[str, Any] = {"layers/dense/vars": np.array({"0": np.zeros((4, 3))}, dtype=object)}
    np.savez(content, **stored)
    hostile = _rewritten(saved, {"model.weights.npz": content.getvalue()}, without="model.weights.h5")
    with pytest.raises(ValueError, match="allow_pickle=False|could not be loaded"):
        keras.models.load_model(hostile)


def test_a_lambda_needs_safe_mode_off(tmp_path: Path) -> None:
    path = tmp_path / "lambda.keras"
    model = _model(keras.layers.Lambda(lambda x: x + 1))
    model.save(path)
    with pytest.raises(ValueError, match="arbitrary code execution"):
        keras.models.load_model(path)
    x = np.ones((2, 4), "float32")
    loaded = keras.models.load_model(path, safe_mode=False)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


class Fails(keras.layers.Layer):  # type: ignore[misc, name-defined, unused-ignore]
    """A layer that cannot be saved."""

    def save_own_variables(self, store: Any) -> None:
        raise RuntimeError("not today")

    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_a_failed_save_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    def save(model: Any) -> None:
        model.save(tmp_path / name) if name.endswith("keras") else model.save_weights(tmp_path / name)

    with pytest.raises(RuntimeError, match="not today"):
        save(_model(Fails()))
    assert not list(tmp_path.iterdir())
    save(_model())
    before = (tmp_path / name).read_bytes()
    with pytest.raises(RuntimeError, match="not today"):
        save(_model(Fails()))
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_mnist_is_read_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.backend import config
    from keras.src.utils import file_utils

    def offline(*_: Any, **__: Any) -> Any:
        raise OSError("no network here")

    monkeypatch.setattr(config, "_KERAS_DIR", str(tmp_path))
    monkeypatch.setattr(socket, "create_connection", offline)
    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(Exception, match=r"URL fetch failure on https://.*mnist\.npz"):
        keras.datasets.mnist.load_data()

    rng = np.random.default_rng(0)
    images = [rng.integers(256, size=(n, 28, 28)).astype("uint8") for n in (6, 2)]
    labels = [rng.integers(10, size=n).astype("uint8") for n in (6, 2)]
    path = tmp_path / "datasets" / "mnist.npz"
    np.savez(path, x_train=images[0], y_train=labels[0], x_test=images[1], y_test=labels[1])
    monkeypatch.setattr(file_utils, "validate_file", lambda *_, **__: True)  # the digest is of the whole data set
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    for ours, theirs in zip([x_train, x_test, y_train, y_test], [*images, *labels], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "Lion", "Nadam", "RMSprop", "SGD"])
def test_files_name_optimizers_as_every_backend_knows_them(name: str) -> None:
    config = keras.optimizers.serialize(getattr(keras.optimizers, name)(0.25))
    assert (config["module"], config["class_name"]) == ("keras.optimizers", name)
    again = keras.optimizers.deserialize(config)
    assert type(again).__name__ == name and float(again.learning_rate) == 0.25
