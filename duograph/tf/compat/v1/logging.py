"""`tf.logging`: absl's, which has TensorFlow's levels."""

from absl.logging import (
    DEBUG,
    ERROR,
    FATAL,
    INFO,
    WARN,
    debug,
    error,
    fatal,
    get_verbosity,
    info,
    log,
    log_every_n,
    log_first_n,
    set_verbosity,
    vlog,
    warn,
    warning,
)

__all__ = [
    "DEBUG", "ERROR", "FATAL", "INFO", "WARN", "debug", "error", "fatal", "get_verbosity", "info", "log",
    "log_every_n", "log_first_n", "set_verbosity", "vlog", "warn", "warning",
]  # fmt: skip
