"""`SummaryWriter`: event files in a folder."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from ....events import EventFile
from ....events.wire import field
from . import summary
from .graph import graph_definition

_START = 1
_UNBUILT = {
    "add_custom_scalars": "TensorBoard groups scalars by the part of their tag before a slash",
    "add_embedding": "write vectors and labels as tab-separated files",
    "add_mesh": "draw it and use add_figure",
    "add_pr_curve": "draw it and use add_figure",
    "add_video": "use add_images",
}


class SummaryWriter:
    """Writes what a program measures to event files in `log_dir`, which TensorBoard draws.

    Args:
        log_dir: The folder; by default a new one in `runs`, named by time and machine.
        comment: What the default folder's name ends with.
        purge_step: What an earlier run wrote from this step on is hidden.
        max_queue: How many events may wait to be written.
        flush_secs: How long they may wait, in seconds.
        filename_suffix: What the file's name ends with.

    After `close()`, writing begins a new file in the same folder.
    """

    def __init__(
        self, log_dir: Any = None, comment: str = "", purge_step: int | None = None, max_queue: int = 10,
        flush_secs: float = 120, filename_suffix: str = "",
    ) -> None:  # fmt: skip
        if log_dir is None or log_dir == "":
            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self.purge_step, self.max_queue, self.flush_secs = purge_step, max_queue, flush_secs
        self.filename_suffix = filename_suffix
        self._files: dict[str, EventFile] = {}
        self._file(self.log_dir)

    def _file(self, folder: str) -> EventFile:
        found = self._files.get(folder)
        if found is None:
            found = self._files[folder] = EventFile(folder, self.filename_suffix, self.max_queue, self.flush_secs)
            if self.purge_step is not None:
                found.write(field(7, field(1, _START)), self.purge_step)
                self.purge_step = None
        return found

    def _add(self, value: bytes, step: Any, walltime: float | None, folder: str | None = None) -> None:
        step = 0 if step is None else int(summary.array_of(step))
        self._file(folder or self.log_dir).write(field(5, value), step, walltime)

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, walltime: float | None = None,
        new_style: bool = False, double_precision: bool = False,
    ) -> None:  # fmt: skip
        """Write a number, or a tensor with one element. Raises ValueError for more."""
        self._add(summary.scalar(tag, scalar_value, new_style, double_precision), global_step, walltime)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Write numbers that are drawn into one picture: each has a file in a folder of its own."""
        for tag, number in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            self._add(summary.scalar(main_tag, number), global_step, walltime, folder)

    def add_histogram(
        self, tag: str, values: Any, global_step: Any = None, bins: Any = "tensorflow", walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """Write how values are distributed. `bins`: "tensorflow", or what `numpy.histogram` takes."""
        self._add(summary.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_histogram_raw(
        self, tag: str, min: float, max: float, num: int, sum: float, sum_squares: float, bucket_limits: Any,
        bucket_counts: Any, global_step: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Write a histogram that was counted elsewhere: the right edge and the number of each bucket."""
        value = summary.histogram_of(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts)
        self._add(value, global_step, walltime)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """Write an image, floats in [0, 1] or uint8, of 1, 3 or 4 channels. Raises ValueError for other axes."""
        self._add(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:  # fmt: skip
        """Write images as one, in rows of up to eight."""
        self._add(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_image_with_boxes(
        self, tag: str, img_tensor: Any, box_tensor: Any, global_step: Any = None, walltime: float | None = None,
        rescale: float = 1, dataformats: str = "CHW", labels: Any = None,
    ) -> None:  # fmt: skip
        """Write an image with boxes (left, top, right, bottom) drawn into it. `rescale` is 1."""
        if rescale != 1:
            raise NotImplementedError("add_image_with_boxes: resize the image by interpolate, and leave rescale at 1")
        names = [labels] if isinstance(labels, str) else labels
        self._add(summary.image(tag, img_tensor, dataformats, box_tensor, names), global_step, walltime)

    def add_figure(
        self, tag: str, figure: Any, global_step: Any = None, close: bool = True, walltime: float | None = None
    ) -> None:
        """Draw a figure of Matplotlib's, or a list of them, and write it as an image. `close` forgets it in pyplot."""
        pixels = summary.figure_pixels(figure)
        self._add(summary.image(tag, pixels, "NHWC" if pixels.ndim == 4 else "HWC"), global_step, walltime)
        if close:
            from matplotlib import pyplot as plt

            for one in figure if isinstance(figure, list | tuple) else [figure]:
                plt.close(one)

    def add_audio(
        self, tag: str, snd_tensor: Any, global_step: Any = None, sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Write a sound, floats in [-1, 1] of shape (1, samples)."""
        self._add(summary.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_text(self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None) -> None:
        """Write a string, which is shown as Markdown."""
        self._add(summary.text(tag, text_string), global_step, walltime)

    def add_hparams(
        self, hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Mapping[str, Any] | None = None, run_name: str | None = None, global_step: Any = None,
    ) -> None:  # fmt: skip
        """Write with which hyper-parameters a run was made and what it reached, into a folder of its own.

        Raises ValueError for a hyper-parameter that is no bool, number or string.
        """
        values = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        for value in values:
            self._add(value, None, None, folder)
        for tag, number in metric_dict.items():
            self._add(summary.scalar(tag, number), global_step, None, folder)
        self._files.pop(folder).close()

    def add_graph(
        self, model: Any, input_to_model: Any = None, verbose: bool = False, use_strict_trace: bool = True
    ) -> None:
        """Write the graph of `model(*input_to_model)`, in Duograph's primitives. `verbose` prints it.

        Raises ValueError without an input, and GraphError for a model that reads a value.
        """
        if input_to_model is None:
            raise ValueError("add_graph expected an input to call the model with. Received: None")
        self._file(self.log_dir).write(field(4, graph_definition(model, input_to_model)))

    def flush(self) -> None:
        """Write what is waiting."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Complete the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> NoReturn:
        if name in _UNBUILT:
            raise AttributeError(f"SummaryWriter has no {name!r}: it is not built here. Instead: {_UNBUILT[name]}")
        raise AttributeError(f"SummaryWriter has no attribute {name!r}")
