"""`tf.gfile`: files under TensorFlow 1's names."""

from __future__ import annotations

from ...gfile import GFile, copy, exists, glob, isdir, listdir, makedirs, mkdir, remove, rename, rmtree, stat

Copy, Exists, Glob, IsDirectory, ListDirectory = copy, exists, glob, isdir, listdir
MakeDirs, MkDir, Remove, Rename, DeleteRecursively, Stat = makedirs, mkdir, remove, rename, rmtree, stat
Open = FastGFile = GFile
