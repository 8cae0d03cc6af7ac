"""Every layer beside PyTorch's: the same names of weights, the same values forward and backward, the same text."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import duograph.torch as dtorch

N, R = np.random.default_rng, 1e-10  # float64 throughout: differences are those of the order of sums


def normal(*shape):
    return lambda rng: rng.standard_normal(shape)


def positive(*shape):
    return lambda rng: rng.uniform(0.1, 0.9, shape)


def integers(high, *shape):
    return lambda rng: rng.integers(0, high, shape)


def signs(*shape):
    return lambda rng: rng.integers(0, 2, shape) * 2 - 1


def bools(*shape):
    return lambda rng: rng.integers(0, 2, shape).astype(bool)


CASES = [
    ("Identity", (), {}, [normal(3, 4)]),
    ("Linear", (5, 3), {}, [normal(2, 4, 5)]),
    ("Linear", (5, 3), {"bias": False}, [normal(5)]),
    ("Bilinear", (4, 5, 3), {}, [normal(2, 4), normal(2, 5)]),
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, [normal(2, 4, 9)]),
    ("Conv1d", (2, 3, 3), {"padding": "same", "padding_mode": "circular"}, [normal(2, 2, 7)]),
    ("Conv2d", (3, 4, (3, 2)), {"stride": (1, 2), "padding": (1, 0), "dilation": (2, 1)}, [normal(2, 3, 7, 8)]),
    ("Conv2d", (3, 4, 3), {"padding": 1, "padding_mode": "reflect", "bias": False}, [normal(3, 5, 5)]),
    ("Conv2d", (2, 4, 3), {"padding": (2, 1), "padding_mode": "replicate"}, [normal(1, 2, 5, 5)]),
    ("Conv3d", (2, 3, 2), {"padding": 1}, [normal(1, 2, 4, 3, 5)]),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1, "groups": 2}, [normal(2, 4, 5)]),
    ("ConvTranspose2d", (3, 4, 3), {"stride": 2, "padding": 1, "dilation": 2}, [normal(2, 3, 4, 5)]),
    ("ConvTranspose3d", (2, 3, 2), {"stride": 2}, [normal(1, 2, 2, 3, 2)]),
    ("MaxPool1d", (3,), {"stride": 2}, [normal(2, 3, 9)]),
    ("MaxPool2d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, [normal(2, 3, 8, 7)]),
    ("MaxPool2d", (2,), {"return_indices": True}, [normal(2, 3, 6, 6)]),
    ("MaxPool3d", (2,), {}, [normal(1, 2, 4, 4, 6)]),
    ("AvgPool1d", (2,), {}, [normal(2, 3, 9)]),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1, "count_include_pad": False}, [normal(2, 3, 8, 7)]),
    ("AvgPool3d", (2,), {"divisor_override": 3}, [normal(1, 2, 4, 4, 6)]),
    ("LPPool1d", (2, 3), {}, [positive(2, 3, 9)]),
    ("LPPool2d", (2, 2), {}, [positive(2, 3, 8, 7)]),
    ("AdaptiveAvgPool1d", (4,), {}, [normal(2, 3, 9)]),
    ("AdaptiveAvgPool2d", ((2, None),), {}, [normal(2, 3, 7, 5)]),
    ("AdaptiveAvgPool3d", (2,), {}, [normal(1, 2, 4, 5, 6)]),
    ("AdaptiveMaxPool1d", (4,), {}, [normal(2, 3, 9)]),
    ("AdaptiveMaxPool2d", (3,), {"return_indices": True}, [normal(2, 3, 7, 5)]),
    ("BatchNorm1d", (4,), {}, [normal(6, 4)]),
    ("BatchNorm1d", (4,), {"momentum": None}, [normal(6, 4, 3)]),
    ("BatchNorm2d", (3,), {"eps": 1e-3, "momentum": 0.3}, [normal(4, 3, 5, 2)]),
    ("BatchNorm2d", (3,), {"affine": False, "track_running_stats": False}, [normal(4, 3, 5, 2)]),
    ("BatchNorm3d", (2,), {}, [normal(3, 2, 2, 3, 2)]),
    ("InstanceNorm1d", (4,), {}, [normal(2, 4, 5)]),
    ("InstanceNorm2d", (3,), {"affine": True, "track_running_stats": True}, [normal(2, 3, 4, 5)]),
    ("InstanceNorm3d", (2,), {}, [normal(2, 2, 3, 2, 4)]),
    ("LayerNorm", (5,), {}, [normal(2, 3, 5)]),
    ("LayerNorm", ((3, 5),), {"bias": False}, [normal(2, 3, 5)]),
    ("LayerNorm", (5,), {"elementwise_affine": False}, [normal(2, 3, 5)]),
    ("RMSNorm", (5,), {}, [normal(2, 3, 5)]),
    ("GroupNorm", (2, 6), {}, [normal(2, 6, 4)]),
    ("LocalResponseNorm", (3,), {}, [normal(2, 6, 4, 4)]),
    ("Dropout", (0.0,), {}, [normal(3, 4)]),
    ("Embedding", (10, 4), {}, [integers(10, 2, 3)]),
    ("Embedding", (10, 4), {"padding_idx": 2}, [integers(10, 2, 3)]),
    ("Embedding", (10, 4), {"padding_idx": -1, "max_norm": 1.0}, [integers(9, 5)]),
    ("EmbeddingBag", (10, 4), {}, [integers(10, 3, 5)]),
    ("EmbeddingBag", (10, 4), {"mode": "sum", "padding_idx": 1}, [integers(10, 3, 5)]),
    ("EmbeddingBag", (10, 4), {"mode": "max"}, [integers(10, 3, 5)]),
    ("EmbeddingBag", (10, 4), {"mode": "mean"}, [integers(10, 7), lambda rng: np.array([0, 2, 2, 5])]),
    ("EmbeddingBag", (10, 4), {"mode": "max"}, [integers(10, 7), lambda rng: np.array([0, 2, 5])]),
    ("Flatten", (), {}, [normal(2, 3, 4)]),
    ("Unflatten", (1, (2, -1)), {}, [normal(2, 6, 3)]),
    ("Fold", ((4, 5), (2, 2)), {}, [normal(2, 12, 12)]),
    ("Unfold", ((2, 3),), {"padding": 1, "stride": 2}, [normal(2, 3, 5, 6)]),
    ("PixelShuffle", (2,), {}, [normal(2, 8, 3, 3)]),
    ("PixelUnshuffle", (2,), {}, [normal(2, 2, 4, 6)]),
    ("ChannelShuffle", (2,), {}, [normal(2, 6, 3)]),
    ("Upsample", (), {"scale_factor": 2}, [normal(2, 3, 4, 5)]),
    ("Upsample", (), {"size": 7, "mode": "linear"}, [normal(2, 3, 4)]),
    ("Upsample", (), {"scale_factor": (1.5, 2), "mode": "bilinear", "align_corners": True},
     [normal(2, 3, 4, 5)]),
    ("Upsample", (), {"size": (6, 9), "mode": "bicubic"}, [normal(2, 3, 4, 5)]),
    ("UpsamplingNearest2d", (), {"scale_factor": 3}, [normal(1, 2, 3, 3)]),
    ("UpsamplingBilinear2d", (), {"size": 5}, [normal(1, 2, 3, 3)]),
    ("ZeroPad2d", ((1, 2, 0, 3),), {}, [normal(2, 3, 4, 5)]),
    ("ConstantPad1d", (2, 1.5), {}, [normal(2, 3, 4)]),
    ("ConstantPad3d", (1, -1.0), {}, [normal(1, 2, 2, 3, 2)]),
    ("ReflectionPad1d", (2,), {}, [normal(2, 3, 4)]),
    ("ReflectionPad2d", (2,), {}, [normal(2, 3, 4, 5)]),
    ("ReplicationPad2d", ((1, 2, 3, 0),), {}, [normal(2, 3, 4, 5)]),
    ("CircularPad2d", (1,), {}, [normal(2, 3, 4, 5)]),
    *[(name, (), {}, [normal(3, 4)]) for name in (
        "ReLU", "ReLU6", "SiLU", "Mish", "SELU", "Hardsigmoid", "Hardswish", "Sigmoid", "Tanh", "Softsign",
        "LogSigmoid", "Tanhshrink", "LeakyReLU", "ELU", "CELU", "GELU", "Hardtanh", "Softplus", "Hardshrink",
        "Softshrink", "GLU", "PReLU",
    )],
    ("ReLU", (), {"inplace": True}, [normal(3, 4)]),
    ("LeakyReLU", (0.2,), {"inplace": True}, [normal(3, 4)]),
    ("Threshold", (0.1, 2.0), {}, [normal(3, 4)]),
    ("GELU", (), {"approximate": "tanh"}, [normal(3, 4)]),
    ("PReLU", (4,), {}, [normal(3, 4, 2)]),
    ("Softmax", (1,), {}, [normal(3, 4)]),
    ("LogSoftmax", (-1,), {}, [normal(3, 4)]),
    ("Softmin", (0,), {}, [normal(3, 4)]),
    ("Softmax2d", (), {}, [normal(2, 3, 4, 2)]),
    ("L1Loss", (), {}, [normal(3, 4), normal(3, 4)]),
    ("MSELoss", (), {"reduction": "sum"}, [normal(3, 4), normal(3, 4)]),
    ("SmoothL1Loss", (), {"beta": 0.5}, [normal(3, 4), normal(3, 4)]),
    ("HuberLoss", (), {"delta": 0.7}, [normal(3, 4), normal(3, 4)]),
    ("KLDivLoss", (), {"reduction": "batchmean"}, [normal(3, 4), positive(3, 4)]),
    ("PoissonNLLLoss", (), {"full": True}, [normal(3, 4), positive(3, 4)]),
    ("GaussianNLLLoss", (), {}, [normal(3, 4), normal(3, 4), positive(3, 4)]),
    ("HingeEmbeddingLoss", (), {}, [normal(3, 4), signs(3, 4)]),
    ("MarginRankingLoss", (0.3,), {}, [normal(5), normal(5), signs(5)]),
    ("CosineEmbeddingLoss", (), {}, [normal(5, 3), normal(5, 3), signs(5)]),
    ("TripletMarginLoss", (), {"swap": True}, [normal(5, 3), normal(5, 3), normal(5, 3)]),
    ("TripletMarginWithDistanceLoss", (), {}, [normal(5, 3), normal(5, 3), normal(5, 3)]),
    ("SoftMarginLoss", (), {}, [normal(3, 4), signs(3, 4)]),
    ("MultiLabelSoftMarginLoss", (), {}, [normal(3, 4), lambda rng: rng.integers(0, 2, (3, 4)).astype(float)]),
    ("MultiLabelMarginLoss", (), {}, [normal(2, 4), lambda rng: np.array([[3, 0, -1, 1], [1, -1, 2, 0]])]),
    ("MultiMarginLoss", (), {"p": 2}, [normal(3, 4), integers(4, 3)]),
    ("BCELoss", (), {}, [positive(3, 4), positive(3, 4)]),
    ("BCEWithLogitsLoss", (), {}, [normal(3, 4), positive(3, 4)]),
    ("NLLLoss", (), {"ignore_index": 1}, [normal(6, 4), integers(4, 6)]),
    ("CrossEntropyLoss", (), {}, [normal(6, 4), integers(4, 6)]),
    ("CrossEntropyLoss", (), {"label_smoothing": 0.1, "reduction": "none"}, [normal(2, 4, 3), integers(4, 2, 3)]),
    ("CrossEntropyLoss", (), {}, [normal(6, 4), positive(6, 4)]),
    ("CosineSimilarity", (), {}, [normal(3, 4), normal(3, 4)]),
    ("PairwiseDistance", (), {}, [normal(3, 4), normal(3, 4)]),
    ("RNN", (3, 4), {"num_layers": 2, "nonlinearity": "relu"}, [normal(5, 2, 3)]),
    ("LSTM", (3, 4), {"bidirectional": True, "batch_first": True}, [normal(2, 5, 3)]),
    ("LSTM", (3, 4), {"proj_size": 2, "num_layers": 2, "bias": False}, [normal(5, 2, 3)]),
    ("GRU", (3, 4), {"num_layers": 2, "bidirectional": True}, [normal(5, 3)]),
    ("RNNCell", (3, 4), {}, [normal(2, 3), normal(2, 4)]),
    ("LSTMCell", (3, 4), {}, [normal(2, 3)]),
    ("GRUCell", (3, 4), {"bias": False}, [normal(2, 3), normal(2, 4)]),
    ("MultiheadAttention", (6, 2), {}, [normal(4, 2, 6), normal(5, 2, 6), normal(5, 2, 6)]),
    ("MultiheadAttention", (6, 3),
     {"batch_first": True, "add_bias_kv": True, "add_zero_attn": True, "kdim": 5, "vdim": 4},
     [normal(2, 4, 6), normal(2, 3, 5), normal(2, 3, 4), bools(2, 3)]),
    ("TransformerEncoderLayer", (8, 2, 16), {"dropout": 0.0}, [normal(4, 2, 8)]),
    ("TransformerEncoderLayer", (8, 2, 16),
     {"dropout": 0.0, "norm_first": True, "batch_first": True, "activation": "gelu"}, [normal(2, 4, 8)]),
    ("TransformerDecoderLayer", (8, 2, 16), {"dropout": 0.0}, [normal(4, 2, 8), normal(3, 2, 8)]),
    ("Transformer", (8, 2, 1, 1, 16), {"dropout": 0.0}, [normal(4, 2, 8), normal(3, 2, 8)]),
]  # fmt: skip


def flat(result):
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in flat(part)]
    return [] if result is None else [result]


def leaves(arrays, framework):
    made = []
    for array in arrays:
        t = framework.tensor(array)
        made.append(t.requires_grad_() if array.dtype == np.float64 else t)
    return made


def identifier(case):
    return f"{case[0]}-{'-'.join(f'{k}={v}' for k, v in case[2].items())}"


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("case", CASES, ids=identifier)
def test_layer_agrees_with_pytorch(case):
    name, arguments, keywords, makers = case
    rng = N(sum(map(ord, name)))
    arrays = [make(rng) for make in makers]
    theirs = getattr(torch.nn, name)(*arguments, **keywords).double()
    ours = getattr(dtorch.nn, name)(*arguments, **keywords).double()
    assert repr(ours) == repr(theirs)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict({k: dtorch.tensor(v.numpy()) for k, v in state.items()})
    inplace = keywords.get("inplace")
    for mode in (True, False):
        theirs.train(mode)
        ours.train(mode)
        results = []
        for module, framework in ((theirs, torch), (ours, dtorch)):
            module.zero_grad()
            inputs = leaves(arrays, framework)
            given = [t.clone() if inplace else t for t in inputs]
            outputs = flat(module(*given))
            total = sum(o.to(framework.float64).sin().sum() for o in outputs)
            if total.requires_grad:
                total.backward()
            gradients = [t.grad for t in inputs] + [p.grad for p in module.parameters()]
            buffers = list(module.buffers())
            results.append(
                [[None if x is None else x.detach().numpy() for x in xs] for xs in (outputs, gradients, buffers)]
            )
        for what, (expected, found) in zip(("output", "gradient", "buffer"), zip(*results, strict=True), strict=True):
            assert len(expected) == len(found)
            for k, (e, f) in enumerate(zip(expected, found, strict=True)):
                if e is None or f is None:
                    assert e is None or not e.any(), (what, k)
                    assert f is None or not f.any(), (what, k)
                    continue
                assert e.dtype == f.dtype, (what, k)
                np.testing.assert_allclose(
                    f,
                    e,
                    rtol=1e-7 if name == "Hardsigmoid" else 1e-9,  # PyTorch's 1/6 is a float32
                    atol=R,
                    err_msg=f"{what} {k}, training={mode}",
                )


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_arguments_have_pytorchs_names(name):
    theirs = list(inspect.signature(getattr(torch.nn, name).__init__).parameters)
    ours = list(inspect.signature(getattr(dtorch.nn, name).__init__).parameters)
    if "kwargs" in theirs or "args" in theirs:  # PyTorch hides them
        return
    assert ours == theirs


@pytest.mark.parametrize(
    "keywords", [{}, {"reduction": "sum", "zero_infinity": True}, {"blank": 3, "reduction": "none"}]
)
def test_ctc_loss_agrees_with_pytorch(keywords):
    rng = N(5)
    logits, targets = rng.standard_normal((6, 2, 4)), rng.integers(0, 3, (2, 3)) + (keywords.get("blank", 0) == 0)
    found = []
    for framework in (torch, dtorch):
        x = framework.tensor(logits).requires_grad_()
        lengths = [framework.tensor(v) for v in ([6, 5], [3, 2])]
        rows = framework.tensor(targets)
        loss = framework.nn.CTCLoss(**keywords)(x.log_softmax(2), rows, *lengths)
        loss.sum().backward()
        flat_rows = framework.cat([rows[0, :3], rows[1, :2]])
        again = framework.nn.CTCLoss(**keywords)(x.log_softmax(2), flat_rows, *lengths)
        found.append([t.detach().numpy() for t in (loss, x.grad, again)])
    for expected, actual in zip(*found, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("blank", [0, 2])
def test_ctc_loss_where_a_target_is_the_blank_or_a_float(blank):
    logits = N(5).standard_normal((6, 3, 3))
    found = []
    for framework in (torch, dtorch):
        targets = framework.tensor([[1.0, 2, 0], [1, 2, 2], [2, 2, 0]])
        lengths = [framework.tensor(v) for v in ([6, 5, 6], [3, 3, 2])]
        log_probs = framework.tensor(logits).log_softmax(2)
        loss = framework.nn.functional.ctc_loss(log_probs, targets, *lengths, blank=blank, reduction="none")
        found.append(loss.numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)
