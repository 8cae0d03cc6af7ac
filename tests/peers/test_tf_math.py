"""Functions of `tf`, `tf.math`, `tf.linalg` and `tf.nn` beyond the common table, against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .tf_tools import Case, agree, tensorflow

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(size=(2, 7, 8, 3)).astype("f")

CASES: dict[str, Case] = {}


def add(label: str, case: Any) -> None:
    CASES[label] = case


A = RNG.normal(size=(3, 4)).astype("f")
U = RNG.uniform(0.1, 0.9, (3, 4)).astype("f")
SQ = (RNG.normal(size=(2, 3, 3)) + 3 * np.eye(3)).astype("f")
PD = (SQ @ SQ.transpose(0, 2, 1)).astype("f")
for n in "bessel_i0 bessel_i0e bessel_i1 bessel_i1e erfinv erfcinv ndtri rint softsign angle conj real imag reciprocal_no_nan zero_fraction lbeta is_non_decreasing reduce_euclidean_norm cumulative_logsumexp softmax log_softmax".split():
    add(n, lambda tf, n=n: getattr(tf.math, n)(tf.constant(U)))
for n in "xdivy xlog1py multiply_no_nan nextafter polygamma".split():
    add(n, lambda tf, n=n: getattr(tf.math, n)(tf.constant(np.round(U * 3)), tf.constant(U + 1)))
add("zeta", lambda tf: tf.math.zeta(tf.constant(U + 1.5), tf.constant(U + 1)))
add("polyval", lambda tf: tf.math.polyval([1.0, 2.0, 3.0], tf.constant(U)))
add("cplx", lambda tf: tf.complex(tf.constant(U), tf.constant(A)))
add("abscplx", lambda tf: tf.abs(tf.complex(tf.constant(U), tf.constant(A))))
add("clse", lambda tf: tf.math.cumulative_logsumexp(tf.constant(U), axis=1, exclusive=True, reverse=True))
for n in "sum mean max min prod".split():
    add("seg" + n, lambda tf, n=n: getattr(tf.math, "segment_" + n)(tf.constant(A), [0, 0, 2]))
for n in "sum mean max min prod sqrt_n".split():
    add("useg" + n, lambda tf, n=n: getattr(tf.math, "unsorted_segment_" + n)(tf.constant(A), [2, 0, 2], 4))
add("invp", lambda tf: tf.math.invert_permutation([2, 0, 1]))
add("td", lambda tf: tf.truncatediv(tf.constant([-7, 7]), tf.constant([2, 2])))
add("tm", lambda tf: tf.truncatemod(tf.constant([-7, 7]), tf.constant([2, 2])))
add("fd", lambda tf: tf.math.floordiv(tf.constant([-7, 7]), 2))
add("fm", lambda tf: tf.math.floormod(tf.constant([-7, 7]), 2))
add("sc", lambda tf: tf.saturate_cast(tf.constant([300.0, -5.0, 7.5]), tf.uint8))
add("div", lambda tf: tf.divide(tf.constant([1, 2]), tf.constant([2, 2])))
add("dp", lambda tf: tf.dynamic_partition(tf.constant(A), [1, 0, 1], 2))
add("ds", lambda tf: tf.dynamic_stitch([[0, 2], [1]], [[[1.0], [2.0]], [[3.0]]]))
add("rs", lambda tf: tf.reverse_sequence(tf.constant(A), [2, 4, 1], seq_axis=1))
add("hist", lambda tf: tf.histogram_fixed_width(tf.constant(A), [-1.0, 1.0], 5))
add("s2b", lambda tf: tf.space_to_batch(tf.constant(IMAGE[:, :6]), [2, 2], [[0, 0], [0, 0]]))
add(
    "b2s",
    lambda tf: tf.batch_to_space(
        tf.space_to_batch(tf.constant(IMAGE[:, :6]), [2, 4], [[1, 1], [0, 0]]), [2, 4], [[1, 1], [0, 0]]
    ),
)
for n in ("max", "min", "sub"):
    add(
        "tsn" + n,
        lambda tf, n=n: getattr(tf, "tensor_scatter_nd_" + n)(
            tf.constant(A), [[0, 1], [2, 2]], tf.constant([0.1, 0.2])
        ),
    )
add("tsnm2", lambda tf: tf.tensor_scatter_nd_max(tf.constant(A), [[0], [2]], tf.constant(A[1:])))
add("ss", lambda tf: tf.strided_slice(tf.constant(A), [0, -1], [3, -4], [2, -1]))
add("ss2", lambda tf: tf.strided_slice(tf.constant(A), [1, 1], [2, 2], shrink_axis_mask=1))
add("uwc", lambda tf: tf.unique_with_counts([3, 1, 3]))
add("ui", lambda tf: tf.unravel_index([5, 7], [3, 4]))
add("bc", lambda tf: tf.bitcast(tf.constant(A), tf.int32))
add("bc8", lambda tf: tf.bitcast(tf.constant(A), tf.uint8))
add("bsh", lambda tf: tf.broadcast_dynamic_shape([2, 1], [1, 3]))
add("ens", lambda tf: tf.ensure_shape(tf.constant(A), [None, 4]))
for n in "adjoint cholesky det inv logdet pinv eigvalsh sqrtm matrix_rank slogdet".split():
    add(n, lambda tf, n=n: getattr(tf.linalg, n)(tf.constant(PD)))
add("tdp", lambda tf: tf.linalg.tensor_diag_part(tf.constant(PD[0])))
add("bp", lambda tf: tf.linalg.band_part(tf.constant(SQ), 1, 0))
add("bp2", lambda tf: tf.linalg.band_part(tf.constant(SQ), -1, 0))
add("solve", lambda tf: tf.linalg.solve(tf.constant(SQ), tf.constant(PD)))
add("ts", lambda tf: tf.linalg.triangular_solve(tf.constant(SQ), tf.constant(PD)))
add("tsu", lambda tf: tf.linalg.triangular_solve(tf.constant(SQ), tf.constant(PD), lower=False, adjoint=True))
add("lst", lambda tf: tf.linalg.lstsq(tf.constant(A.T), tf.constant(A.T)))
add("cs", lambda tf: tf.linalg.cholesky_solve(tf.linalg.cholesky(tf.constant(PD)), tf.constant(SQ)))
add("svd", lambda tf: tf.linalg.svd(tf.constant(A), compute_uv=False))
add("svdu", lambda tf: (lambda s, u, v: tf.matmul(u * s, v, transpose_b=True))(*tf.linalg.svd(tf.constant(A))))
add("qr", lambda tf: tf.matmul(*tf.linalg.qr(tf.constant(A))))
add("norm", lambda tf: tf.linalg.normalize(tf.constant(A), axis=1))
add("tdg", lambda tf: tf.linalg.tensor_diag(tf.constant([1.0, 2.0])))
K = RNG.normal(size=(3, 3, 5, 3)).astype("f")
for s in (1, 2):
    for p in ("SAME", "VALID"):
        for o in ((7, 8), (8, 9)):
            add(
                f"ct{s}{p}{o}",
                lambda tf, s=s, p=p, o=o: tf.nn.conv2d_transpose(
                    tf.nn.conv2d(tf.zeros([2, *o, 5]) + 1.0, tf.constant(K), s, p), tf.constant(K), [2, *o, 5], s, p
                ),
            )
add("ct1", lambda tf: tf.nn.conv1d_transpose(tf.constant(IMAGE[0]), tf.constant(K[0]), [7, 16, 5], 2))
add(
    "sep", lambda tf: tf.nn.separable_conv2d(tf.constant(IMAGE), tf.constant(R0), tf.constant(R1), [1, 1, 1, 1], "SAME")
)
R0 = RNG.normal(size=(3, 3, 3, 2)).astype("f")
R1 = RNG.normal(size=(1, 1, 6, 4)).astype("f")
add("atr", lambda tf: tf.nn.atrous_conv2d(tf.constant(IMAGE), tf.constant(K.transpose(0, 1, 3, 2).copy()), 2, "VALID"))
add("convn", lambda tf: tf.nn.convolution(tf.constant(IMAGE), tf.constant(K.transpose(0, 1, 3, 2).copy()), 1, "SAME"))
add("mp1", lambda tf: tf.nn.max_pool1d(tf.constant(IMAGE[0]), 2, 2, "SAME"))
add("pool", lambda tf: tf.nn.pool(tf.constant(IMAGE), [2, 2], "AVG", [1, 1], "SAME"))
add("crelu", lambda tf: tf.nn.crelu(tf.constant(A)))
add("lrn", lambda tf: tf.nn.lrn(tf.constant(IMAGE), 1, alpha=0.5))
add("lrn2", lambda tf: tf.nn.local_response_normalization(tf.constant(IMAGE)))
add("wce", lambda tf: tf.nn.weighted_cross_entropy_with_logits(tf.constant(U), tf.constant(A), 2.0))
add("lpl", lambda tf: tf.nn.log_poisson_loss(tf.constant(U * 5), tf.constant(A), True))
add("wm", lambda tf: tf.nn.weighted_moments(tf.constant(A), [0], tf.constant(U)))
L = RNG.normal(size=(6, 2, 5)).astype("f")
add(
    "ctc",
    lambda tf: tf.nn.ctc_loss(
        tf.constant([[1, 2, 2], [3, 0, 0]]), tf.constant(L), tf.constant([3, 1]), tf.constant([6, 5])
    ),
)
add("ctcg", lambda tf: (lambda d, n: [tf.sparse.to_dense(d[0]), n])(*tf.nn.ctc_greedy_decoder(tf.constant(L), [6, 5])))
add(
    "ctcs",
    lambda tf: tf.nn.ctc_loss(
        tf.cast(tf.sparse.from_dense([[1, 2, 2], [3, 0, 0]]), tf.int32)
        if tf is tensorflow
        else tf.sparse.from_dense([[1, 2, 2], [3, 0, 0]]),
        tf.constant(L),
        None,
        tf.constant([6, 5]),
        blank_index=-1,
    ),
)
add("swap", lambda tf: tf.nn.zero_fraction(tf.constant([0.0, 1.0])))
add("tk", lambda tf: list(tf.nn.top_k(tf.constant(A), 2)))
add("eig", lambda tf: tf.sort(tf.abs(tf.linalg.eigvals(tf.constant(SQ)))))
add("expm", lambda tf: tf.linalg.expm(tf.constant(SQ / 4)))


@pytest.mark.parametrize("label", CASES)
def test_agrees_with_tensorflow(label: str) -> None:
    agree(CASES[label])
