"""Convolution, pooling, resizing and sampling agree with PyTorch over one, two and three spatial axes."""

from __future__ import annotations

import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from duograph.functional import convolution, pooling, resize, sampling
from tests.peers.functional_torch import compare, normal, uniform

AXES = pytest.mark.parametrize("n", [1, 2, 3])
DOUBLE = [np.float64]


@AXES
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": "same"},
        {"padding": "valid", "groups": 2},
        {"stride": (3, 2, 1), "padding": (2, 1, 0), "groups": 2},
        {"groups": 4},
    ],
)
def test_conv(n: int, attributes: dict) -> None:
    given = {name: a[:n] if isinstance(a, tuple) else a for name, a in attributes.items()}
    groups, reference = given.get("groups", 1), getattr(F, f"conv{n}d")
    x, w = normal(2, 4, *(7, 6, 5)[:n]), normal(8, 4 // groups, *(3, 2, 3)[:n])
    compare(convolution.conv, lambda *t: reference(*t, **given), x, w, normal(8), **given)
    compare(convolution.conv, lambda *t: reference(*t, **given), x[0], w, **given)


@AXES
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": 2, "output_padding": 1},
        {"stride": 3, "output_padding": 2, "padding": 1},
        {"groups": 2, "dilation": 2, "output_padding": 1, "padding": 2},
    ],
)
def test_conv_transpose(n: int, attributes: dict) -> None:
    reference = getattr(F, f"conv_transpose{n}d")
    x, w = normal(2, 4, *(4, 5, 3)[:n]), normal(4, 6 // attributes.get("groups", 1), *(3, 2, 3)[:n])
    compare(convolution.conv_transpose, lambda *t: reference(*t, **attributes), x, w, normal(6), **attributes)
    compare(convolution.conv_transpose, lambda *t: reference(*t, **attributes), x[0], w, **attributes)


@AXES
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"stride": 1},
        {"stride": 2, "padding": 1, "ceil_mode": True},
        {"ceil_mode": True},
        {"stride": 2, "padding": 1},
    ],
)
def test_pooling(n: int, attributes: dict) -> None:
    kernel, x = (3, 2, 3)[:n], normal(2, 3, *(9, 7, 8)[:n])
    biggest, average = getattr(F, f"max_pool{n}d"), getattr(F, f"avg_pool{n}d")
    given = {"kernel_size": kernel, **attributes}
    for data in (x, x[0]):
        indexed = {**given, "return_indices": True}
        compare(pooling.max_pool, functools.partial(biggest, **indexed), data, **indexed)
        compare(pooling.avg_pool, lambda x: average(x, **given), data, **given)
    compare(
        pooling.avg_pool, lambda x: average(x, **given, count_include_pad=False), x, **given, count_include_pad=False
    )
    if n > 1:
        compare(pooling.avg_pool, lambda x: average(x, **given, divisor_override=5), x, **given, divisor_override=5)


@AXES
def test_dilated_max_pool(n: int) -> None:
    given = {"kernel_size": (3, 2, 3)[:n], "stride": 1, "padding": 1, "dilation": 2}
    compare(pooling.max_pool, lambda x: getattr(F, f"max_pool{n}d")(x, **given), normal(2, 3, *(9, 7, 8)[:n]), **given)


@AXES
@pytest.mark.parametrize("sizes", [(3, 7, 2), (1, 1, 1), (9, 7, 8), (4, 5, 3), (12, 2, 3)])
def test_adaptive_pooling(n: int, sizes: tuple[int, ...]) -> None:
    x, size = normal(2, 3, *(9, 7, 8)[:n]), sizes[:n]
    mean, most = getattr(F, f"adaptive_avg_pool{n}d"), getattr(F, f"adaptive_max_pool{n}d")
    compare(pooling.adaptive_avg_pool, lambda x: mean(x, size), x, output_size=size)
    compare(
        pooling.adaptive_max_pool,
        lambda x: most(x, size, return_indices=True),
        x,
        output_size=size,
        return_indices=True,
    )


def test_adaptive_pooling_of_some_axes() -> None:
    size, x = (None, 3), normal(2, 3, 9, 7)
    compare(pooling.adaptive_avg_pool, lambda x: F.adaptive_avg_pool2d(x, size), x, output_size=size)


@AXES
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_lp_pool(n: int, p: float) -> None:
    kernel = (2,) * n
    reference = getattr(F, f"lp_pool{n}d")
    given = {"norm_type": p, "stride": 2, "ceil_mode": True}
    compare(
        pooling.lp_pool,
        lambda x: reference(x, kernel_size=kernel if n > 1 else 2, **given),
        uniform(2, 3, *(9, 7, 8)[:n]) + 0.1,
        kernel_size=kernel,
        **given,
    )


@AXES
def test_max_unpool(n: int) -> None:
    size = (8, 6, 4)[:n]
    y, places = getattr(F, f"max_pool{n}d")(torch.tensor(normal(2, 3, *size)), 2, return_indices=True)
    reference = getattr(F, f"max_unpool{n}d")
    compare(pooling.max_unpool, lambda y, i: reference(y, i, 2), y.numpy(), places.numpy(), output_size=size)


@pytest.mark.parametrize("attributes", [{}, {"dilation": 2, "padding": 1, "stride": 2}])
def test_unfold_and_fold(attributes: dict) -> None:
    kernel, x = (3, 2), normal(2, 3, 7, 8)
    compare(pooling.unfold, lambda x: F.unfold(x, kernel, **attributes), x, kernel_size=kernel, **attributes)
    columns = F.unfold(torch.tensor(x), kernel, **attributes).numpy()
    for data in (columns, columns[0]):
        compare(
            pooling.fold,
            lambda u: F.fold(u, (7, 8), kernel, **attributes),
            data,
            output_size=(7, 8),
            kernel_size=kernel,
            **attributes,
        )


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_pad(mode: str) -> None:
    x = normal(2, 3, 4, 5)
    compare(resize.pad, lambda x: F.pad(x, (1, 2, 3, 0), mode), x, pads=((3, 0), (1, 2)), mode=mode)
    compare(resize.pad, lambda x: F.pad(x, (1, -2), mode), x[0], pads=((1, -2),), mode=mode)
    if mode == "constant":
        compare(resize.pad, lambda x: F.pad(x, (1, 2), value=7.0), x, pads=((1, 2),), value=7.0)


MODES = [
    (1, "nearest", "nearest"),
    (1, "nearest-exact", "nearest-exact"),
    (1, "linear", "linear"),
    (1, "area", "area"),
    (2, "nearest", "nearest"),
    (2, "nearest-exact", "nearest-exact"),
    (2, "linear", "bilinear"),
    (2, "cubic", "bicubic"),
    (2, "area", "area"),
    (3, "nearest", "nearest"),
    (3, "linear", "trilinear"),
    (3, "area", "area"),
]


@pytest.mark.parametrize(("n", "mode", "theirs"), MODES)
@pytest.mark.parametrize("sizes", [(3, 7, 2), (9, 9, 9), (1, 1, 5), (5, 4, 6)])
def test_interpolate_to_a_size(n: int, mode: str, theirs: str, sizes: tuple[int, ...]) -> None:
    x, size = normal(2, 3, *(5, 4, 6)[:n]), sizes[:n]
    compare(resize.interpolate, lambda x: F.interpolate(x, size, mode=theirs), x, size=size, mode=mode)
    if mode in ("linear", "cubic"):
        compare(
            resize.interpolate,
            lambda x: F.interpolate(x, size, mode=theirs, align_corners=True),
            x,
            size=size,
            mode=mode,
            align_corners=True,
        )


@pytest.mark.parametrize(("n", "mode", "theirs"), [m for m in MODES if m[1] != "area"])
def test_interpolate_by_a_factor(n: int, mode: str, theirs: str) -> None:
    x, factors = normal(2, 3, *(5, 4, 6)[:n]), (1.7, 0.6, 2.5)[:n]
    size = tuple(F.interpolate(torch.tensor(x), scale_factor=factors, mode=theirs).shape[2:])
    compare(
        resize.interpolate,
        lambda x: F.interpolate(x, scale_factor=factors, mode=theirs),
        x,
        size=size,
        mode=mode,
        scale_factor=factors,
    )


def test_shuffles() -> None:
    compare(resize.pixel_shuffle, lambda x: F.pixel_shuffle(x, 2), normal(2, 8, 3, 4), factor=2)
    compare(resize.pixel_unshuffle, lambda x: F.pixel_unshuffle(x, 2), normal(2, 3, 4, 6), factor=2)
    shuffle = torch.nn.ChannelShuffle(3)
    compare(resize.channel_shuffle, shuffle, normal(2, 6, 3, 4), groups=3, dtypes=DOUBLE)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("n", "mode", "theirs"),
    [
        (2, "linear", "bilinear"),
        (2, "nearest", "nearest"),
        (2, "cubic", "bicubic"),
        (3, "linear", "bilinear"),
        (3, "nearest", "nearest"),
    ],
)
def test_grid_sample(n: int, mode: str, theirs: str, padding_mode: str, align_corners: bool) -> None:
    compare(
        sampling.grid_sample,
        lambda x, grid: F.grid_sample(x, grid, theirs, padding_mode, align_corners),
        normal(2, 3, *(5, 4, 6)[:n]),
        normal(2, *(3, 7, 2)[:n], n) * 1.3,
        mode=mode,
        padding_mode=padding_mode,
        align_corners=align_corners,
        dtypes=DOUBLE,  # in float32 a place may round to another element than theirs
    )


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("n", [2, 3])
def test_affine_grid(n: int, align_corners: bool) -> None:
    size = (2, 3, *(5, 4, 6)[:n])
    compare(
        sampling.affine_grid,
        lambda theta: F.affine_grid(theta, size, align_corners),
        normal(2, n, n + 1),
        size=size,
        align_corners=align_corners,
    )
