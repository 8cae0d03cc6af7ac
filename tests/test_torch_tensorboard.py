"""`torch.utils.tensorboard.SummaryWriter`: its event files, read back by the other face's reader."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.graph.errors import GraphError
from duograph.tf.records import read_records
from duograph.tf.wire import fields, read_varint, signed
from duograph.torch.utils.tensorboard import SummaryWriter


def message(data: bytes) -> dict[int, list[Any]]:
    """The fields of a message: whole numbers as such, the rest as bytes."""
    found: dict[int, list[Any]] = {}
    for number, kind, raw in fields(data):
        found.setdefault(number, []).append(signed(read_varint(raw, 0)[0]) if kind == 0 else raw)
    return found


def events(folder: Path) -> list[dict[int, list[Any]]]:
    (path,) = folder.glob("events.out.tfevents.*")
    return [message(record) for record in read_records(path)]


def values(folder: Path) -> list[tuple[int, str, dict[int, list[Any]]]]:
    """Step, tag and content of each summary."""
    found = []
    for event in events(folder):
        for summary in event.get(5, []):
            for value in message(summary)[1]:
                content = message(value)
                found.append((event.get(2, [0])[0], content[1][0].decode(), content))
    return found


def number(raw: bytes) -> float:
    return struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0]


def test_scalars_have_tag_step_and_time(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", 0.5, 3, walltime=12.0)
        writer.add_scalar("loss", torch.tensor([0.25], requires_grad=True), torch.tensor(4))
        writer.add_scalar("exact", 0.1, 5, new_style=True, double_precision=True)
        writer.add_scalar("new", 2, new_style=True)
    assert events(tmp_path)[0][3] == [b"brain.Event:2"]
    assert number(events(tmp_path)[1][1][0]) == 12.0
    found = values(tmp_path)
    assert [(step, tag) for step, tag, _ in found] == [(3, "loss"), (4, "loss"), (5, "exact"), (0, "new")]
    assert [number(content[2][0]) for *_, content in found[:2]] == [0.5, 0.25]
    assert number(message(found[2][2][8][0])[6][0]) == 0.1
    assert number(message(found[3][2][8][0])[5][0]) == 2
    with pytest.raises(ValueError, match="one number"):
        writer.add_scalar("loss", torch.ones(2))


def test_scalars_of_one_picture_have_folders_of_their_own(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("run/loss", {"train": 1.0, "test": 2.0}, 7)
    for name, expected in (("train", 1.0), ("test", 2.0)):
        ((step, tag, content),) = values(tmp_path / f"run_loss_{name}")
        assert (step, tag, number(content[2][0])) == (7, "run/loss", expected)


@pytest.mark.parametrize("bins", ["tensorflow", "auto", 4, [-2.0, 0.0, 1.0, 3.0]])
def test_a_histogram_counts_all_values(tmp_path: Path, bins: Any) -> None:
    x = torch.tensor([-1.0, 0.5, 0.5, 2.0])
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("weights", x, 1, bins=bins)
    content = message(values(tmp_path)[0][2][5][0])
    assert [number(content[k][0]) for k in range(1, 6)] == [-1, 2, 4, 2, 5.5]
    limits, counts = (np.frombuffer(content[k][0]) for k in (6, 7))
    assert len(limits) == len(counts) and (np.diff(limits) > 0).all()
    assert counts.sum() == 4 and counts[0] == 0 and counts[-1] == 1
    assert counts[1] == 1 and limits[0] <= -1 <= limits[1]
    with pytest.raises(ValueError, match="values"):
        writer.add_histogram("weights", torch.ones(0))


def test_histograms_join_bins_and_take_counts(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("joined", np.arange(10), bins=10, max_bins=5)
        writer.add_histogram_raw("raw", 0, 2, 3, 3, 5, [1.0, 2.0], [1, 2], 9)
    joined, raw = (message(content[5][0]) for *_, content in values(tmp_path))
    assert np.frombuffer(joined[7][0]).tolist() == [0, 2, 2, 2, 2, 2]
    assert np.frombuffer(raw[6][0]).tolist() == [1, 2] == np.frombuffer(raw[7][0]).tolist()


def opened(content: dict[int, list[Any]]) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    picture = message(content[4][0])
    array = np.asarray(image.open(io.BytesIO(picture[4][0])))
    assert array.shape == (picture[1][0], picture[2][0], picture[3][0])
    return array


def test_images_are_png_files(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    colours = torch.rand(3, 4, 5)
    bytes_ = torch.randint(0, 256, (4, 5, 3), dtype=torch.uint8)
    grey = torch.tensor([[0.0, 0.5], [1.0, 2.0]])
    batch = torch.arange(10.0).reshape(10, 1, 1, 1).expand(10, 1, 2, 3) / 10
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("colours", colours)
        writer.add_image("bytes", bytes_, dataformats="HWC")
        writer.add_image("grey", grey, dataformats="HW")
        writer.add_images("batch", batch)
        writer.add_image_with_boxes("boxes", torch.zeros(3, 9, 9), torch.tensor([[1, 1, 6, 6]]))
    first, second, third, grid, boxes = (opened(content) for *_, content in values(tmp_path))
    np.testing.assert_array_equal(first, (colours.numpy().transpose(1, 2, 0) * 255).astype(np.uint8))
    np.testing.assert_array_equal(second, bytes_.numpy())
    assert third[..., 0].tolist() == [[0, 127], [255, 255]] and third.shape == (2, 2, 3)
    assert grid.shape == (4, 24, 3)
    assert grid[0, ::3, 0].tolist() == [int(np.float32(k / 10) * np.float32(255)) for k in range(8)]
    assert grid[2, 3, 0] == 229 and not grid[2:, 6:].any()
    assert boxes[1, 1].tolist() == [255, 0, 0] and not boxes[3, 3].any()
    for x, formats in ((colours, "HW"), (colours, "CHH"), (torch.zeros(2, 4, 4), "CHW")):
        with pytest.raises(ValueError, match="expected"):
            writer.add_image("wrong", x, dataformats=formats)


def test_figures_are_drawn(tmp_path: Path) -> None:
    figure_module = pytest.importorskip("matplotlib.figure")
    figure = figure_module.Figure(figsize=(1, 2), dpi=50)
    figure.add_axes((0, 0, 1, 1)).set_facecolor("red")
    with SummaryWriter(tmp_path) as writer:
        writer.add_figure("drawn", figure, close=False)
        writer.add_figure("two", [figure, figure], close=False)
    one, two = (opened(content) for *_, content in values(tmp_path))
    assert one.shape == (100, 50, 4) and two.shape == (100, 100, 4)
    assert one[50, 25].tolist() == [255, 0, 0, 255]


def test_texts_and_sounds(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("note", "**bold**", 2)
        writer.add_audio("tone", torch.tensor([[0.0, 1.0, -1.0, 3.0]]), sample_rate=8000)
    (step, tag, note), (_, _, tone) = values(tmp_path)
    assert (step, tag) == (2, "note/text_summary") and message(note[8][0])[8] == [b"**bold**"]
    with wave.open(io.BytesIO(message(tone[6][0])[4][0])) as sound:
        assert sound.getframerate() == 8000
        assert np.frombuffer(sound.readframes(4), "<i2").tolist() == [0, 32767, -32767, 32767]


def test_hyper_parameters_have_a_run_of_their_own(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_hparams(
            {"lr": 0.1, "name": "sgd", "fast": True, "none": None},
            {"accuracy": torch.tensor(0.75)},
            hparam_domain_discrete={"lr": [0.1, 0.2]},
            run_name="first",
        )
    experiment, start, end, accuracy = values(tmp_path / "first")
    assert [experiment[1], start[1], end[1]] == [
        f"_hparams_/{name}" for name in ("experiment", "session_start_info", "session_end_info")
    ]
    assert (accuracy[1], number(accuracy[2][2][0])) == ("accuracy", 0.75)
    plugin = message(message(start[2][9][0])[1][0])
    assert plugin[1] == [b"hparams"]
    given = {}
    for entry in message(message(plugin[2][0])[3][0])[1]:
        pair = message(entry)
        given[pair[1][0].decode()] = message(pair[2][0])
    assert number(given["lr"][2][0]) == 0.1 and given["name"][3] == [b"sgd"] and given["fast"][4] == [1]
    with pytest.raises(ValueError, match="hyper-parameter"):
        writer.add_hparams({"layers": [1, 2]}, {})


def test_graphs_name_their_parameters(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(model, torch.ones(1, 3))
    (graph,) = [event[4][0] for event in events(tmp_path) if 4 in event]
    nodes = [message(node) for node in message(graph)[1]]
    inputs = {node[1][0].decode(): [i.decode() for i in node.get(3, [])] for node in nodes}
    assert {"input/0", "0/weight", "0/bias", "output/0"} <= set(inputs)
    assert all(name in inputs for names in inputs.values() for name in names)
    with pytest.raises(GraphError, match="read"):
        writer.add_graph(lambda x: x if x.sum() > 0 else -x, torch.ones(2))
    with pytest.raises(ValueError, match="input"):
        writer.add_graph(model)


def test_a_folder_has_a_default_and_closed_files_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    writer = SummaryWriter(comment="-mine", purge_step=5, filename_suffix=".x")
    folder = tmp_path / writer.get_logdir()
    assert folder.parent.name == "runs" and folder.name.endswith("-mine")
    writer.flush()
    (path,) = folder.iterdir()
    assert path.name.endswith(".x")
    assert events(folder)[1][2] == [5] and message(events(folder)[1][7][0]) == {1: [1]}
    writer.close()
    writer.add_scalar("late", 1)
    writer.close()
    assert len(list(folder.iterdir())) == 2
    with pytest.raises(AttributeError, match="Instead: use add_images"):
        writer.add_video("film", None)
