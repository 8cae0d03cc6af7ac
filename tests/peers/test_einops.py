"""einops on Duograph's tensors gives what it gives on PyTorch's, layers included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("einops")

from tests.programs_tools import ROOT, printed, same

PROGRAM = """\
import numpy as np
import torch
from einops import einsum, pack, rearrange, reduce, repeat, unpack
from einops.layers.torch import EinMix, Rearrange, Reduce
from torch import nn

rng = np.random.default_rng(0)
x = torch.from_numpy(rng.standard_normal((2, 3, 4, 6))).requires_grad_()


def show(name, y):
    print(name, tuple(y.shape), " ".join(f"{v:.6f}" for v in y.detach().double().flatten().tolist()[::5]))


show("rearrange", rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=2, q=3))
show("list", rearrange([x, x], "k b c h w -> (b k) c (h w)"))
for kind in ("mean", "max", "min", "sum", "prod"):
    show(kind, reduce(x, "b c (h 2) (w 2) -> b c h w", kind))
show("any", reduce(x > 1, "b c h w -> b c", "any").double())
show("repeat", repeat(x[0], "c h w -> (c 2) r h w", r=3))
show("einsum", einsum(x, x, "b c h w, b d h w -> b c d"))
packed, shapes = pack([x, x[:, 0]], "b * w")
show("pack", packed)
show("unpack", unpack(packed, shapes, "b * w")[1])

net = nn.Sequential(
    Rearrange("b c (h p) w -> b (h w) (p c)", p=2),
    EinMix("b t c -> b t d", weight_shape="c d", bias_shape="d", c=6, d=5),
    nn.ReLU(),
    Reduce("b t d -> b d", "mean"),
).double()
for p in net.parameters():
    p.data.copy_(torch.from_numpy(rng.standard_normal(p.shape)))
loss = net(x).pow(2).sum()
loss.backward()
show("loss", loss)
show("gradient", x.grad)
"""


def test_einops_prints_the_same(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    same(printed(program, "-m", "duograph", "run"), printed(program), 1e-6)


def test_einops_after_install() -> None:
    program = (
        "import duograph.torch as torch; torch.install(); from einops import rearrange; "
        "print(tuple(rearrange(torch.ones(2, 3), 'a b -> (a b) 1').shape))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "(6, 1)\n"
