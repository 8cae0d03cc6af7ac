"""`tf.train.Checkpoint` and its manager: what comes back, what is kept, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf


class Line(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w, self.b = tf.Variable([1.0, 2.0]), tf.Variable(3, trainable=False)


def classifier() -> Any:
    keras = tf.keras
    model = keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2)])
    model.build((None, 3))
    return model


def train(model: Any, optimizer: Any, steps: int) -> list[float]:
    x = np.linspace(-1, 1, 30).reshape(10, 3).astype(np.float32)
    losses = []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - x[:, :2]) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        losses.append(float(loss))
    return losses


def test_training_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    model, optimizer, step = classifier(), tf.keras.optimizers.Adam(0.05), tf.Variable(0)
    train(model, optimizer, 3)
    step.assign_add(3)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step, more={"lines": [Line(), Line()]})
    path = checkpoint.save(tmp_path / "run" / "ckpt")
    assert path == str(tmp_path / "run" / "ckpt-1") == tf.train.latest_checkpoint(tmp_path / "run")
    expected = train(model, optimizer, 3)

    model, optimizer, step = classifier(), tf.keras.optimizers.Adam(0.01), tf.Variable(0)
    lines = [Line(), Line()]
    lines[1].w.assign([0.0, 0.0])
    restored = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step, more={"lines": lines})
    restored.restore(path).assert_consumed()  # the optimiser had no slots before
    assert restored.save_counter == 1 and int(step) == 3 and lines[1].w.numpy().tolist() == [1, 2]
    np.testing.assert_allclose(train(model, optimizer, 3), expected, rtol=1e-6)
    names = dict(tf.train.list_variables(path))
    assert names["more/lines/1/w"] == [2] and names["model/0"] == [3, 4]
    np.testing.assert_array_equal(tf.train.load_checkpoint(path)["step"], 3)


def test_a_model_without_variables_is_not_passed_over(tmp_path: Path) -> None:
    path = tf.train.Checkpoint(model=classifier()).save(tmp_path / "ckpt")
    unbuilt = tf.keras.Sequential([tf.keras.layers.Dense(4), tf.keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"model has 0 variables, and 4 in .*: before it is restored, call it once"):
        tf.train.Checkpoint(model=unbuilt).restore(path)
    optimizer = tf.keras.optimizers.Adam()
    with pytest.raises(ValueError, match="Received: x of type float"):
        tf.train.Checkpoint(model=unbuilt, optimizer=optimizer, x=1.0)


def test_what_was_and_was_not_found(tmp_path: Path) -> None:
    a, b = tf.Variable(1.0), tf.Variable(2.0)
    path = tf.train.Checkpoint(a=a, b=b).write(tmp_path / "exact")
    assert Path(f"{path}.safetensors").is_file() and tf.train.latest_checkpoint(tmp_path) is None
    only = tf.Variable(0.0)
    status = tf.train.Checkpoint(a=only).read(path).expect_partial().assert_existing_objects_matched()
    assert float(only) == 1.0
    with pytest.raises(AssertionError, match=r"not in the objects: \['b'\]"):
        status.assert_consumed()
    with pytest.raises(AssertionError, match=r"not in the checkpoint: \['c'\]"):
        tf.train.Checkpoint(a=only, c=b).read(path).assert_existing_objects_matched()
    with pytest.raises(AssertionError, match="nothing of the checkpoint"):
        tf.train.Checkpoint(c=b).read(path).assert_nontrivial_match()
    tf.train.Checkpoint(c=b).restore(None).assert_consumed()
    later = tf.train.Checkpoint(a=a)
    later.b = tf.Variable(0.0)  # attributes count, whenever they come
    later.read(path).assert_consumed()
    assert float(later.b) == 2.0


@pytest.mark.parametrize("other", [[1.0, 2.0, 3.0], np.array([1.0, 2.0], np.float64)], ids=["shape", "dtype"])
def test_nothing_is_half_restored(tmp_path: Path, other: Any) -> None:
    path = tf.train.Checkpoint(a=tf.Variable(1.0), b=tf.Variable([1.0, 2.0])).save(tmp_path / "ckpt")
    a = tf.Variable(7.0)
    checkpoint = tf.train.Checkpoint(a=a, b=tf.Variable(other))
    with pytest.raises(ValueError, match="b has shape"):
        checkpoint.restore(path)
    assert float(a) == 7.0 and checkpoint.save_counter == 0


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    v = tf.Variable(np.arange(6.0))
    checkpoint = tf.train.Checkpoint(v=v)
    path = checkpoint.save(tmp_path / "ckpt")
    whole = Path(f"{path}.safetensors").read_bytes()
    v.assign(-v)
    before = v.numpy()
    for damaged in (b"", whole[:5], whole[:40], whole[:-1], b"\xff" * 8 + whole[8:], whole[:8] + b"[" + whole[9:]):
        Path(f"{path}.safetensors").write_bytes(damaged)
        with pytest.raises(tf.errors.DataLossError):
            checkpoint.restore(path)
        np.testing.assert_array_equal(v.numpy(), before)
    with pytest.raises(tf.errors.NotFoundError):
        checkpoint.restore(tmp_path / "nothing")
    for index in (b"", b"{", b"[]", b'{"all": 3}', b'{"all": ["../../etc/passwd", 3, "gone"]}'):
        (tmp_path / "checkpoint").write_bytes(index)
        assert tf.train.latest_checkpoint(tmp_path) is None


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    v = tf.Variable(1.0)
    path = tf.train.Checkpoint(v=v).write(tmp_path / "ckpt")
    v.assign(2.0)

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(os, "replace", full)
        tf.train.Checkpoint(v=v).write(path)
    assert [p.name for p in tmp_path.iterdir()] == ["ckpt.safetensors"]
    tf.train.Checkpoint(v=v).read(path)
    assert float(v) == 1.0


def test_a_manager_keeps_the_newest(tmp_path: Path) -> None:
    step = tf.Variable(0)
    checkpoint = tf.train.Checkpoint(step=step)
    manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=2, keep_checkpoint_every_n_hours=1.0)
    assert manager.latest_checkpoint is None and manager.restore_or_initialize() is None
    for k in range(4):
        step.assign(k)
        path = manager.save()
        assert path == manager.latest_checkpoint == str(tmp_path / f"ckpt-{k + 1}")
        if k == 1:  # as if it were written two hours later
            os.utime(f"{path}.safetensors", (manager._last_kept + 7200,) * 2)
    assert [Path(p).name for p in manager.checkpoints] == ["ckpt-3", "ckpt-4"]
    assert {p.name for p in tmp_path.glob("*.safetensors")} == {f"ckpt-{k}.safetensors" for k in (2, 3, 4)}
    step.assign(-1)
    again = tf.train.CheckpointManager(tf.train.Checkpoint(step=step), tmp_path, max_to_keep=2)
    assert again.restore_or_initialize() == manager.latest_checkpoint and int(step) == 3
    assert again.save() == str(tmp_path / "ckpt-5") and again.save(checkpoint_number=70) == str(tmp_path / "ckpt-70")
    every = tf.train.CheckpointManager(checkpoint, tmp_path / "b", 3, step_counter=step, checkpoint_interval=2)
    assert [every.save() is None for _ in range(2) if step.assign_add(1) is not None] == [False, True]
    with pytest.raises(ValueError, match="max_to_keep above 0"):
        tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=0)


class Named(tf.Module):
    def __init__(self) -> None:
        super().__init__("line")
        self.w = tf.Variable([1.0, 2.0])
        self.parts = [tf.Variable(3.0, trainable=False)]


def test_modules_know_their_variables() -> None:
    outer = tf.Module()
    outer.a, outer.b = Named(), tf.Variable(0)  # type: ignore[attr-defined]
    assert len(outer.variables) == 3
    assert len(outer.trainable_variables) == 2
    assert outer.submodules == (outer.a,)  # type: ignore[attr-defined]
    assert outer.a.name == "line"  # type: ignore[attr-defined]


def test_checkpoints(tmp_path: Path) -> None:
    line = Named()
    checkpoint = tf.train.Checkpoint(model=line)
    manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=2)
    for value in (1.0, 2.0, 3.0):
        line.parts[0].assign(value)
        manager.save()
    assert [Path(p).name for p in manager.checkpoints] == ["ckpt-2", "ckpt-3"]
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    other = Named()
    restored = tf.train.Checkpoint(model=other)
    restored.restore(tf.train.latest_checkpoint(tmp_path)).assert_consumed()
    assert float(other.parts[0]) == 3.0
    assert tf.train.CheckpointManager(restored, tmp_path, 2).latest_checkpoint == manager.latest_checkpoint
    (tmp_path / "ckpt-3.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(tf.errors.DataLossError):
        restored.restore(manager.latest_checkpoint)
    with pytest.raises(tf.errors.NotFoundError):
        restored.restore(tmp_path / "nothing")
