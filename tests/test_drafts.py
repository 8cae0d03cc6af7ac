"""Compiled graphs on disk: the next process runs them without the compiler, and gives the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from duograph.graph import language as lang
from duograph.graph.dtype import float32, float64
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.runtime import draft, objects
from duograph.runtime.buffer import Buffer
from duograph.runtime.native import Native
from duograph.runtime.objects import ObjectCache

ROOT = Path(__file__).parent.parent

PROGRAMS = {
    "training": """
        net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        for _ in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), torch.arange(8) % 3)
            loss.backward()
            optimizer.step()
        result = loss
    """,
    "convolution": """
        result = F.max_pool2d(F.conv2d(x.view(1, 2, 4, 6), torch.ones(3, 2, 3, 3) / 7, padding=1), 2).tanh()
    """,
    "recurrence": "result = nn.LSTM(6, 4)(x.view(4, 2, 6))[0].detach()",
    "refusing": "result = F.embedding(torch.arange(5) * 2, torch.cat([x, x]))",
    "complex": "result = torch.view_as_real(torch.complex(x, -x) * (2 + 1j))",
    "of LAPACK": "result = torch.linalg.svd(x)[1].cumsum(0)",
}


def run(program: str, cache: Path, **environment: str) -> tuple[str, set[str]]:
    """The bits of a program's result, and the modules that it has loaded."""
    source = f"""
        import sys
        import duograph.torch as torch
        from duograph.torch import nn
        from duograph.torch.nn import functional as F
        torch.manual_seed(0)
        x = torch.linspace(-1, 1, 48).view(8, 6)
        {textwrap.indent(textwrap.dedent(program).strip(), " " * 8).strip()}
        print(result.detach().numpy().tobytes().hex())
        print(*sys.modules)
    """
    settings = {
        **os.environ,
        "DUOGRAPH_CACHE": str(cache),
        "DUOGRAPH_TIER": "compiled",
        "DUOGRAPH_CHECK": "",
        **environment,
    }
    command = [sys.executable, "-c", textwrap.dedent(source)]
    done = subprocess.run(
        command, cwd=ROOT, env=settings | environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    bits, modules = done.stdout.splitlines()
    return bits, set(modules.split())


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_next_process_needs_no_compiler(name: str, tmp_path: Path) -> None:
    first, compiled = run(PROGRAMS[name], tmp_path)
    again, loaded = run(PROGRAMS[name], tmp_path)
    assert again == first
    assert "duograph.compiler.schedule" in compiled
    assert ("duograph.compiler.schedule" in loaded) is (name == "of LAPACK")  # the interpreter's part is on no disk
    assert "llvmlite.binding" not in loaded


def test_who_watches_makes_the_compiler_work(tmp_path: Path) -> None:
    run(PROGRAMS["convolution"], tmp_path)
    for variable, value in (("DUOGRAPH_LOG", "plans"), ("DUOGRAPH_CHECK", "1")):
        _, loaded = run(PROGRAMS["convolution"], tmp_path, **{variable: value})
        assert "duograph.compiler.schedule" in loaded


def test_a_refusal_is_explained_without_the_compiler(tmp_path: Path) -> None:
    program = """
        try:
            F.embedding(torch.arange(5) * 3, x).numpy()
        except IndexError as error:
            result = torch.tensor([len(str(error).splitlines()[0])])
    """
    first, _ = run(program, tmp_path)
    again, loaded = run(program, tmp_path)
    assert first == again and "duograph.compiler.schedule" not in loaded


def _graph(number: float = 2.0, dtype: object = float32) -> tuple[Node, Graph]:
    x = make(PRIMITIVES["input"], position=0, shape=(33,), dtype=dtype)
    return x, Graph((x,), (lang.tanh(x) * number,))


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectCache:
    monkeypatch.setenv("DUOGRAPH_CHECK", "")
    kept = ObjectCache(str(tmp_path))
    monkeypatch.setattr(objects, "cache", lambda: kept)
    return kept


def test_a_draft_is_found_for_the_same_graph_alone(disk: ObjectCache) -> None:
    _, graph = _graph()
    Native(graph, [None])
    assert draft.find(graph, [None]) is not None
    assert draft.find(graph, [(0,)]) is None
    for other in (_graph(2.5), _graph(2.0, float64)):
        assert draft.find(other[1], [None]) is None


@pytest.mark.parametrize("harm", ["cut", "altered", "gone", "kernels gone"])
def test_what_is_damaged_is_made_again(harm: str, disk: ObjectCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft, or the kernels that it names."""
    from duograph.runtime import code

    _, graph = _graph(3.0 + len(harm))
    Native(graph, [None])
    assert disk.folder is not None
    for path in Path(disk.folder).iterdir():
        content = path.read_bytes()
        if harm == "kernels gone" and "draft" not in path.name:
            path.unlink()
            monkeypatch.setattr(code, "_addresses", {})
        elif "draft" in path.name and harm != "kernels gone":
            if harm == "gone":
                path.unlink()
            else:
                path.write_bytes(content[:-9] if harm == "cut" else content[:-9] + b"x" * 9)
    assert draft.find(graph, [None]) is None
    native = Native(graph, [None])
    assert native.drawing is not None
    x = np.linspace(-1, 1, 33, dtype=np.float32)
    [result] = native([Buffer(x)])
    np.testing.assert_allclose(result.array, np.tanh(x) * (3.0 + len(harm)), rtol=1e-6)
    assert draft.find(graph, [None]) is not None
