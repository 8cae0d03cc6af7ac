"""`torch.nn.modules`: the same layers by the files that PyTorch keeps them in, as `torch.nn.modules.conv` and so on."""

import sys
from types import ModuleType

from ....nn import *
from ....nn import __all__, containers
from ....nn import module as _module
from ....nn.functional.common import per_axis as _per_axis
from ....nn.layers import (
    activation,
    attention,
    convolution,
    dropout,
    embedding,
    lazy,
    linear,
    loss,
    normalization,
    pooling,
    recurrent,
    shape,
)  # fmt: skip


def _file(name: str, *sources: ModuleType, **more: object) -> ModuleType:
    """A module of the face that has what is in `sources`."""
    made = ModuleType(f"{__name__}.{name}", f"`torch.nn.modules.{name}`.")
    for source in sources:
        vars(made).update({k: v for k, v in vars(source).items() if not k.startswith("__")})
    vars(made).update(more)
    sys.modules[made.__name__] = made
    return made


def _tuples(n: int) -> object:
    def ntuple(x: object) -> tuple:
        return _per_axis("ntuple", "x", x, n)

    return ntuple


module = _file("module", _module)
lazy = _file("lazy", lazy)
container = _file("container", containers)
activation = _file("activation", activation, attention)
conv = _file("conv", convolution)
batchnorm = _file("batchnorm", normalization)
instancenorm = _file("instancenorm", normalization)
linear = _file("linear", linear, attention)
pooling = _file("pooling", pooling)
padding = _file("padding", shape)
upsampling = _file("upsampling", shape)
pixelshuffle = _file("pixelshuffle", shape)
flatten = _file("flatten", shape)
fold = _file("fold", shape)
rnn = _file("rnn", recurrent)
sparse = _file("sparse", embedding)
transformer = _file("transformer", attention)
utils = _file("utils", _single=_tuples(1), _pair=_tuples(2), _triple=_tuples(3), _quadruple=_tuples(4))
loss = _file("loss", loss)
dropout = _file("dropout", dropout)
embedding = sparse
normalization = _file("normalization", normalization)
