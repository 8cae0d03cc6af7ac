"""`tf.image`: images of shape (height, width, channels) or (batch, height, width, channels)."""

from __future__ import annotations

from ..missing import missing
from .boxes import *
from .codec import *
from .colour import *
from .geometry import *
from .quality import *
from .randomly import *
from .resizing import *

__getattr__ = missing(
    __name__,
    globals(),
    {
        "decode_jxl": "read the file with a library for JPEG XL and pass the array",
        "draw_bounding_boxes": "draw with Pillow's ImageDraw and pass the array",
        "extract_glimpse": "use tf.image.crop_and_resize",
        "generate_bounding_box_proposals": "use tf.image.combined_non_max_suppression",
    },
)
