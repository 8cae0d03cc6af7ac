"""Keras and `tf.data` on TensorFlow."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

__all__ = ["OPTIONS", "keras", "set_threads", "tf"]

OPTIONS = {"graph": {"jit_compile": False}, "xla": {"jit_compile": True}}


def set_threads(count: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)
