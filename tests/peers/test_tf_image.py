"""`tf.image` against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("PIL")

from .tf_tools import Case, agree, tensorflow

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(size=(2, 7, 8, 3)).astype("f")
U = RNG.integers(0, 256, (7, 8, 3)).astype("uint8")
BIG = RNG.uniform(size=(2, 32, 40, 3)).astype("f")
BIG2 = np.clip(BIG + RNG.normal(size=BIG.shape) * 0.1, 0, 1).astype("f")
BOXES = RNG.uniform(size=(12, 2)).astype("f")
BOXES = np.concatenate([BOXES * 0.6, BOXES * 0.6 + RNG.uniform(0.1, 0.4, (12, 2))], 1).astype("f")
SCORES = RNG.uniform(size=12).astype("f")

CASES: dict[str, Case] = {}


def add(label: str, case: Any) -> None:
    CASES[label] = case


for m in ["bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]:
    for aa in (False, True):
        for size in ((3, 4), (15, 11), (7, 5)):
            add(
                f"resize {m} {aa} {size}",
                lambda tf, m=m, aa=aa, size=size: tf.image.resize(tf.constant(IMAGE), size, m, antialias=aa),
            )
add("resize u8", lambda tf: tf.image.resize(U, (5, 5)))
add("resize keep", lambda tf: tf.image.resize(U, (5, 15), preserve_aspect_ratio=True))
add("pad", lambda tf: tf.image.resize_with_pad(tf.constant(IMAGE), 9, 20))
add("crop or pad", lambda tf: tf.image.resize_with_crop_or_pad(tf.constant(IMAGE), 5, 11))
for a in ["float32", "uint8", "uint16", "int16"]:
    add(f"cid {a}", lambda tf, a=a: tf.image.convert_image_dtype(U, a))
    add(f"cidf {a}", lambda tf, a=a: tf.image.convert_image_dtype(IMAGE, a, saturate=True))
for n in [
    "flip_left_right", "flip_up_down", "transpose", "rot90", "rgb_to_grayscale", "rgb_to_hsv", "hsv_to_rgb",
    "rgb_to_yiq", "rgb_to_yuv", "yuv_to_rgb", "yiq_to_rgb", "per_image_standardization", "image_gradients",
    "sobel_edges", "total_variation",
]:  # fmt: skip
    add(n, lambda tf, n=n: getattr(tf.image, n)(tf.constant(IMAGE)))
add("gray u8", lambda tf: tf.image.rgb_to_grayscale(U))
add("pis u8", lambda tf: tf.image.per_image_standardization(U))
add("gray2", lambda tf: tf.image.grayscale_to_rgb(tf.constant(IMAGE[..., :1])))
ADJUSTMENTS = {
    "adjust_brightness": 0.1, "adjust_contrast": 1.7, "adjust_gamma": 0.5, "adjust_hue": 0.2, "adjust_saturation": 1.4,
}  # fmt: skip
for n, v in ADJUSTMENTS.items():
    add(n, lambda tf, n=n, v=v: getattr(tf.image, n)(tf.constant(IMAGE), v))
    add(n + " u8", lambda tf, n=n, v=v: getattr(tf.image, n)(U, v))
for f in (0.5, 0.3, 0.87):
    add(f"cc{f}", lambda tf, f=f: tf.image.central_crop(tf.constant(IMAGE), f))
add("ctb", lambda tf: tf.image.crop_to_bounding_box(IMAGE, 1, 2, 3, 4))
add("ptb", lambda tf: tf.image.pad_to_bounding_box(IMAGE, 1, 2, 13, 14))
for p in ("SAME", "VALID"):
    add(
        "patches" + p,
        lambda tf, p=p: tf.image.extract_patches(tf.constant(IMAGE), [1, 3, 2, 1], [1, 2, 2, 1], [1, 2, 1, 1], p),
    )
for m in ("bilinear", "nearest"):
    add(
        "car" + m,
        lambda tf, m=m: tf.image.crop_and_resize(
            tf.constant(IMAGE),
            tf.constant([[0, 0, 1, 1], [0.1, 0.2, 0.7, 1.2], [0.9, 0.8, 0.1, 0.0]], dtype="float32"),
            [0, 1, 1],
            [5, 4],
            m,
        ),
    )
add("nms", lambda tf: tf.image.non_max_suppression(BOXES, SCORES, 6, 0.3))
add("nmss", lambda tf: tf.image.non_max_suppression_with_scores(BOXES, SCORES, 12, 1.0, 0.2, 0.5))
add(
    "cnms",
    lambda tf: tf.image.combined_non_max_suppression(
        BOXES[None, :, None], np.stack([SCORES, SCORES[::-1]], -1)[None], 5, 8, 0.3, 0.1
    ),
)
add("psnr", lambda tf: tf.image.psnr(BIG, BIG2, 1.0))
add("ssim", lambda tf: tf.image.ssim(BIG, BIG2, 1.0))
add("ssimms", lambda tf: tf.image.ssim_multiscale(BIG, BIG2, 1.0, filter_size=2))
add("ssimu8", lambda tf: tf.image.ssim((BIG * 255).astype("uint8"), (BIG2 * 255).astype("uint8"), 255))
PNG = tensorflow.io.encode_png(U).numpy()
JPG = tensorflow.io.encode_jpeg(U).numpy()
add("dpng", lambda tf: tf.io.decode_png(PNG))
add("dpng1", lambda tf: tf.image.decode_png(PNG, channels=1))
add("dimg", lambda tf: tf.image.decode_image(PNG, dtype=tf.float32))
add("isj", lambda tf: tf.image.is_jpeg(JPG))
add("shp", lambda tf: tf.image.extract_jpeg_shape(JPG))


@pytest.mark.parametrize("label", CASES)
def test_agrees_with_tensorflow(label: str) -> None:
    agree(CASES[label])
