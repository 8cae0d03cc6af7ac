"""Event files, which TensorBoard draws: records of messages in protocol buffers' wire format.

Both faces write them; what a summary says is theirs.
"""

from .file import EventFile

__all__ = ["EventFile"]
