"""`tf.flags`: absl's."""

from absl.flags import *
from absl.flags import FLAGS

__all__ = ["FLAGS"]
