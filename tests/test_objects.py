"""The disk cache of compiled code: shared, bounded, and never believed without its checksum."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import pytest

from duograph.runtime import objects
from duograph.runtime.objects import ObjectCache

ROOT = Path(__file__).resolve().parent.parent


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_what_is_put_is_got(tmp_path: Path) -> None:
    cache = ObjectCache(str(tmp_path / "new" / "folder"))
    assert cache.get("key") is None
    for content in (b"", b"code", bytes(range(256)) * 1000):
        cache.put("key", content)
        assert cache.get("key") == content
        assert ObjectCache(cache.folder).get("key") == content
    assert len(files(tmp_path / "new" / "folder")) == 1


@pytest.mark.parametrize("damage", ["truncated", "cut to nothing", "a bit", "the checksum", "longer", "another format"])
def test_a_damaged_entry_is_absent_and_replaced(tmp_path: Path, damage: str) -> None:
    cache = ObjectCache(str(tmp_path))
    cache.put("key", b"machine code" * 100)
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        del content[-7:]
    elif damage == "cut to nothing":
        content.clear()
    elif damage == "a bit":
        content[-100] ^= 4
    elif damage == "the checksum":
        content[20] ^= 1
    elif damage == "longer":
        content += b"more"
    else:
        content[:4] = b"\x7fELF"
    path.write_bytes(content)
    assert cache.get("key") is None
    assert files(tmp_path) == []
    cache.put("key", b"again")
    assert cache.get("key") == b"again"


def test_a_damaged_kernel_is_compiled_again(tmp_path: Path) -> None:
    program = """
        import ctypes, sys
        from duograph.runtime import jit
        image = jit.load("define i64 @answer() { ret i64 42 }")
        print(image.function("answer", ctypes.c_int64)())
    """
    environment = {**os.environ, "DUOGRAPH_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    for _ in range(2):
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert run.stdout == "42\n"
        entries = files(tmp_path)
        assert len(entries) == 2  # the kernel, and what LLVM calls this machine
        for path in entries:
            path.write_bytes(path.read_bytes()[:-3] + b"\xcc\xcc\xcc")


def test_the_size_is_bounded_and_the_oldest_use_goes_first(tmp_path: Path) -> None:
    cache = ObjectCache(str(tmp_path), limit=50_000)
    hours = 3600
    for number in range(10):
        cache.put(f"old{number}", bytes(4_000))
        age = time.time() - (100 - number) * hours
        os.utime(tmp_path / f"old{number}.bin", (age, age))
    assert cache.get("old0") == bytes(4_000)  # used now: no longer the oldest
    for number in range(4):
        cache.put(f"new{number}", bytes(4_000))
    left = {path.stem for path in files(tmp_path)}
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 50_000
    assert {"old0", *(f"new{number}" for number in range(4))} <= left
    assert "old1" not in left
    assert "old9" in left


def test_files_that_dead_processes_left_are_removed(tmp_path: Path) -> None:
    abandoned, fresh = tmp_path / "a.bin.1.2.tmp", tmp_path / "b.bin.3.4.tmp"
    for path in (abandoned, fresh):
        path.write_bytes(b"half")
    os.utime(abandoned, (1, 1))
    ObjectCache(str(tmp_path)).put("key", b"code")
    assert {path.name for path in files(tmp_path)} == {"b.bin.3.4.tmp", "key.bin"}


def test_a_folder_that_cannot_be_written_warns_once(tmp_path: Path) -> None:
    """A file stands where the folder should be: even an administrator cannot write there."""
    (tmp_path / "file").write_bytes(b"")
    cache = ObjectCache(str(tmp_path / "file" / "folder"))
    with pytest.warns(UserWarning, match="compiled code cannot be kept in .*folder.*set DUOGRAPH_CACHE"):
        cache.put("key", b"code")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.put("other", b"code")
        assert cache.get("key") is None


def test_a_folder_that_may_only_be_read_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ObjectCache(str(tmp_path))
    cache.put("key", b"code")
    os.utime(tmp_path / "key.bin", (1, 1))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "utime", refuse)
    assert cache.get("key") == b"code"


@pytest.mark.parametrize(
    ("chosen", "folder"), [("off", None), ("", None), ("/somewhere", "/somewhere"), ("~/it", "{home}/it")]
)
def test_the_environment_chooses_the_folder(chosen: str, folder: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOGRAPH_CACHE", chosen)
    found = objects.cache.__wrapped__().folder
    assert found == (folder and folder.format(home=os.path.expanduser("~")))
    if folder is None:
        cache = ObjectCache(None)
        cache.put("key", b"code")
        assert cache.get("key") is None


def test_the_user_s_cache_folder_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DUOGRAPH_CACHE", raising=False)
    found = objects.cache.__wrapped__().folder
    assert found is not None
    assert Path(found).is_absolute()
    assert Path(found).name == "duograph"


def test_processes_fill_it_together(tmp_path: Path) -> None:
    """Four processes write and read the same sixty entries at once, under a limit that keeps evicting."""
    program = """
        import hashlib, random, sys
        from duograph.runtime.objects import ObjectCache
        cache = ObjectCache(sys.argv[1], limit=120_000)
        order = [number for number in range(60) for _ in range(8)]
        random.Random(int(sys.argv[2])).shuffle(order)
        hits = 0
        for number in order:
            content = hashlib.sha256(b"%d" % number).digest() * 100
            found = cache.get(f"key{number}")
            assert found in (None, content), "a wrong entry"
            hits += found is not None
            if found is None:
                cache.put(f"key{number}", content)
        print(hits)
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), str(tmp_path)]
    runs = [
        subprocess.Popen([*command, str(seed)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for seed in range(4)
    ]
    for run in runs:
        output, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors
        assert errors == ""
        assert int(output) > 0
    assert all(path.suffix == ".bin" for path in files(tmp_path))
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 120_000 * 5 / 4


def test_processes_compile_the_same_kernels_together(tmp_path: Path) -> None:
    program = """
        import ctypes
        from duograph.runtime import jit
        modules = [f"define i64 @f{i}() {{ ret i64 {i} }}" for i in range(10)]
        image = jit.load(*modules)
        print(sum(image.function(f"f{i}", ctypes.c_int64)() for i in range(10)))
    """
    environment = {**os.environ, "DUOGRAPH_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    runs = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for run in runs:
        output, errors = run.communicate(timeout=120)
        assert (output, errors) == ("45\n", "")
    assert len(files(tmp_path)) == 11
