"""From IR to running code: compiling, linking, calling, and the machine it is for."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from duograph.graph.errors import ArgumentError
from duograph.runtime import jit, linker, objects, targets
from duograph.runtime.linker import LinkError

ROOT = Path(__file__).resolve().parent.parent

ADD = "define i64 @add(i64 %x, i64 %y) { %z = add i64 %x, %y\n ret i64 %z }"


def call(image: jit.Image, name: str, *arguments: int) -> int:
    return image.function(name, ctypes.c_int64, *(ctypes.c_int64 for _ in arguments))(*arguments)


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program run by a fresh interpreter, warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(params=["direct", "llvm"])
def each_linker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The linker for ELF on x86-64, and LLVM's, which serves elsewhere."""
    if request.param == "direct" and not linker.direct():
        pytest.skip("objects are linked by LLVM on this machine")
    monkeypatch.setattr(linker, "direct", lambda: request.param == "direct")
    monkeypatch.setattr(jit, "_images", {})
    return request.param


def test_modules_call_one_another_and_the_libraries(each_linker: str) -> None:
    """Every way of reference: calls and addresses within a module, across modules, into libraries; constants, switch
    tables, zeroed and initialised variables."""
    first = """
        @table = internal unnamed_addr constant [4 x double] [double 1.0, double 2.0, double 4.0, double 9.0], align 64
        @zeroed = internal global [3 x i64] zeroinitializer, align 64
        @shared = external global i64
        declare double @sqrt(double)
        declare i64 @second(i64)
        declare i64 @strlen(ptr)
        @text = private constant [6 x i8] c"seven\\00"
        define internal i64 @twice(i64 %x) nounwind { %y = mul i64 %x, 2
          ret i64 %y }
        define i64 @through(ptr %f, i64 %x) nounwind { %y = call i64 %f(i64 %x)
          ret i64 %y }
        define i64 @first(i64 %i) nounwind {
          %place = getelementptr double, ptr @table, i64 %i
          %value = load double, ptr %place
          %root = call double @sqrt(double %value)
          %whole = fptosi double %root to i64
          %a = call i64 @second(i64 %whole)
          %b = call i64 @through(ptr @twice, i64 %a)
          %c = call i64 @through(ptr @second, i64 %b)
          %length = call i64 @strlen(ptr @text)
          %d = add i64 %c, %length
          store i64 %d, ptr @shared
          %old = load i64, ptr @zeroed
          %new = add i64 %old, 1
          store i64 %new, ptr @zeroed
          switch i64 %new, label %many [ i64 1, label %one
            i64 2, label %two
            i64 3, label %three
            i64 4, label %four
            i64 5, label %five ]
        one:
          ret i64 %d
        two:
          %e = call i64 @second(i64 20)
          ret i64 %e
        three:
          %g = call i64 @twice(i64 30)
          ret i64 %g
        four:
          %h = call i64 @twice(i64 40)
          ret i64 %h
        five:
          ret i64 55
        many:
          ret i64 -1
        }
    """
    second = """
        @shared = global i64 3
        define i64 @second(i64 %x) nounwind { %y = add i64 %x, 100
          ret i64 %y }
    """
    image = jit.load(first, second)
    assert [call(image, "first", i) for i in (3, 0, 0, 0, 0, 0)] == [2 * 103 + 100 + 5, 120, 60, 80, 55, -1]
    assert ctypes.c_int64.from_address(image["shared"]).value == 2 * 101 + 105
    assert set(image.symbols) == {"first", "second", "through", "shared"}


def test_images_use_and_keep_other_images(each_linker: str) -> None:
    user = "declare i64 @add(i64, i64)\ndefine i64 @use(i64 %x) { %y = call i64 @add(i64 %x, i64 5)\n ret i64 %y }"
    image = jit.load(user, using=[jit.load(ADD)])
    gc.collect()
    assert call(image, "use", 2) == 7


def test_weak_definitions_may_repeat_and_strong_ones_may_not() -> None:
    weak = "define linkonce_odr i64 @common() { ret i64 4 }\n"
    users = [f"{weak}define i64 @user{i}() {{ %x = call i64 @common()\n ret i64 %x }}" for i in range(2)]
    image = jit.load(*users)
    assert [call(image, f"user{i}") for i in range(2)] == [4, 4]
    with pytest.raises(LinkError, match=r"add( is|.*) defined"):
        jit.load(ADD, ADD + "\n; another")


def test_an_undefined_symbol_is_named(each_linker: str) -> None:
    module = "declare void @nowhere()\ndefine void @user() { call void @nowhere()\n ret void }"
    with pytest.raises(LinkError, match="nowhere" if each_linker == "direct" else "user"):
        jit.load(module)
    assert call(jit.load(ADD), "add", 1, 2) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("define i64 @broken() { ret i32 4 }", "value doesn't match function result type 'i64'"),
        ("define i64 @broken() { %x = add i64 %y, 1\n%y = add i64 %x, 1\nret i64 %x }", "does not dominate"),
        ("define i64 @broken() { ret i64 %x }", "use of undefined value '%x'"),
    ],
)
def test_a_compile_error_names_kernel_and_reason(text: str, reason: str) -> None:
    with pytest.raises(jit.CompileError, match="kernel broken cannot be compiled") as caught:
        jit.load(text)
    assert caught.value.kernel == "broken"
    assert reason in caught.value.reason
    with pytest.raises(jit.CompileError):
        jit.compile_many([ADD, text, ADD + "; again"])
    assert call(jit.load(ADD), "add", 1, 2) == 3, "the process goes on"


def test_equal_modules_are_one_image_and_memory_is_given_back() -> None:
    module = "define i64 @only_here() { ret i64 1 }"
    first = jit.load(module)
    assert jit.load(module) is first
    key = next(key for key, image in jit._images.items() if image is first)
    del first
    gc.collect()
    assert key not in jit._images


def test_many_modules_compile_together_and_in_order() -> None:
    modules = [f"define i64 @f{i}() {{ ret i64 {i} }}" for i in range(12)]
    found = jit.compile_many([*modules, modules[3]])
    assert [item.exports for item in found] == [(f"f{i}",) for i in (*range(12), 3)]
    image = jit.load(*modules)
    assert [call(image, f"f{i}") for i in range(12)] == list(range(12))


def test_threads_compile_at_the_same_time() -> None:
    results: dict[int, int] = {}

    def work(number: int) -> None:
        text = f"define double @g(double %x) {{ %y = fadd double %x, {float(number)}\n ret double %y }}"
        results[number] = jit.load(text).function("g", ctypes.c_double, ctypes.c_double)(0.5)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: number + 0.5 for number in range(8)}


def test_functions_marked_for_it_are_inlined() -> None:
    text = """
        define internal i64 @inner(i64 %x) alwaysinline { %y = mul i64 %x, 3
          ret i64 %y }
        define i64 @outer(i64 %x) { %y = call i64 @inner(i64 %x)
          ret i64 %y }
    """
    assert "call" not in jit.assembly(text)
    assert call(jit.load(text), "outer", 5) == 15


def test_an_entry_passes_a_block() -> None:
    module = """
        define void @sum(ptr %block) {
          %x = load i64, ptr %block
          %py = getelementptr i64, ptr %block, i64 1
          %y = load double, ptr %py
          %pz = getelementptr i64, ptr %block, i64 2
          %whole = fptosi double %y to i64
          %z = add i64 %x, %whole
          store i64 %z, ptr %pz
          ret void
        }
    """
    step, block = jit.entry(jit.load(module), "sum", 3)
    floats = (ctypes.c_double * 3).from_buffer(block)
    block[0] = -(2**40)
    floats[1] = 7.5
    gc.collect()
    step()
    assert block[2] == 7 - 2**40


def test_what_is_cached_runs_without_llvm(tmp_path: Path) -> None:
    program = f"""
        import ctypes, sys
        from duograph.runtime import jit, pool
        add = jit.load({ADD!r}, using=[pool.image()]).function("add", ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
        print(add(2, 3), "llvmlite.binding" in sys.modules)
    """
    first, second = (python(program, DUOGRAPH_CACHE=str(tmp_path)) for _ in range(2))
    assert (first.stdout, first.stderr) == ("5 True\n", "")
    assert (second.stdout, second.stderr) == (f"5 {not linker.direct()}\n", "")


# The machine.


def test_this_machine() -> None:
    target = targets.host()
    assert target.architecture == targets.architecture()
    assert target.vector_bytes in (16, 32, 64)
    assert target.lanes(4) * 4 == target.vector_bytes
    caches = targets.caches()
    assert 1 << 12 <= caches.l1 <= caches.l2 <= caches.l3
    assert 1 <= targets.cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(targets.architecture() != "x86_64", reason="names of x86-64 levels")
@pytest.mark.parametrize(
    ("name", "vector_bytes", "registers"),
    [("x86-64", 16, 16), ("baseline", 16, 16), ("x86-64-v2", 16, 16), ("x86-64-v3", 32, 16), ("x86-64-v4", 64, 32)],
)
def test_code_for_a_named_cpu(name: str, vector_bytes: int, registers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        target = targets.named(name)
    except ArgumentError as error:
        pytest.skip(str(error))
    assert (target.vector_bytes, target.vector_registers) == (vector_bytes, registers)
    monkeypatch.setattr(targets, "target", lambda: target)
    text = """
        define void @scale(ptr %x) {
          %v = load <16 x float>, ptr %x, align 4
          %w = fmul <16 x float> %v, splat (float 2.0)
          store <16 x float> %w, ptr %x, align 4
          ret void
        }
    """
    register = {16: "xmm", 32: "ymm", 64: "zmm"}[vector_bytes]
    assert f"%{register}0" in jit.assembly(text)
    values = (ctypes.c_float * 16)(*range(16))
    jit.load(text).function("scale", None, ctypes.c_void_p)(ctypes.addressof(values))
    assert list(values) == [2.0 * i for i in range(16)]


def test_the_cpu_can_be_chosen_and_must_be_known() -> None:
    program = "from duograph.runtime import targets; print(targets.target().cpu)"
    plain = "x86-64" if targets.architecture() == "x86_64" else "generic"
    assert python(program, DUOGRAPH_CPU="baseline").stdout.strip() == plain
    assert python(program, DUOGRAPH_CPU="").stdout.strip() == targets.host().cpu
    wrong = python(program, DUOGRAPH_CPU="z80")
    assert "DUOGRAPH_CPU must be one of baseline" in wrong.stderr
    assert "received 'z80'" in wrong.stderr


def test_a_cpu_beyond_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if targets.architecture() != "x86_64":
        pytest.skip("names of x86-64 levels")
    small = targets.Target("x86_64", "small", "+sse4.2", 16, 16)
    monkeypatch.setattr(targets, "host", lambda: small)
    with pytest.raises(ArgumentError, match="x86-64-v3 needs avx2, fma, f16c, bmi2, which this machine does not have"):
        targets.named("x86-64-v3")


def test_keys_differ_by_all_that_matters() -> None:
    host, other = targets.host(), targets.Target("x86_64", "x86-64", "", 16, 16)
    assert len({jit._key(ADD, host), jit._key(ADD, other), jit._key(ADD + " ", host)}) == 3
    assert "llvmlite 0" in objects.compiler_version()
