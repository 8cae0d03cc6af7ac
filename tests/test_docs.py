"""The Python in the README and in docs/ runs as it stands.

The blocks of a page run in order in one fresh interpreter and share their names, in an empty directory. A block after
`<!-- no-run: reason -->` is only compiled. Warnings are errors there too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

REASONS = {
    "a fragment",  # shows the form of something, and needs what a page cannot have
    "takes minutes",
    "needs a package that is no dependency",
    "needs a device",
}
"""Why a block may stand in a page without being run."""

FENCE = re.compile(
    r"(?:^<!--\s*no-run:\s*(?P<reason>[^\n]*?)\s*-->\n+)?^(?P<indent> *)```python[^\n]*\n(?P<code>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of Python in a page, from `line` on."""

    line: int
    code: str
    reason: str | None


def blocks_of(text: str) -> list[Block]:
    return [
        Block(text.count("\n", 0, match.start("code")) + 1, match["code"], match["reason"])
        for match in FENCE.finditer(text)
    ]


def program_of(page: Path, blocks: list[Block]) -> str:
    """The blocks that run, each at its own line, so that a traceback points into the page."""
    lines: list[str] = []
    for block in blocks:
        if block.reason is None:
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.code.splitlines()
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    blocks = blocks_of(page.read_text("utf-8"))
    for block in blocks:
        assert block.reason is None or block.reason in REASONS, f"{page}:{block.line}: {block.reason!r} is no reason"
        compile(block.code, f"{page}:{block.line}", "exec")
    if all(block.reason is not None for block in blocks):
        return
    copy = tmp_path / f"{page.stem}.py"
    copy.write_text(program_of(page, blocks), "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    run = subprocess.run(
        [sys.executable, str(copy)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.returncode == 0, f"{page.relative_to(ROOT)} (line numbers are the page's)\n{run.stdout}{run.stderr}"


def test_blocks_are_found_and_keep_their_lines() -> None:
    text = (
        "# A page\n\n```python\nx = 1\n```\n\n<!-- no-run: a fragment -->\n```python\nraise\n```\n"
        "```sh\nls\n```\n```python\nprint(x)\n```\n"
    )
    blocks = blocks_of(text)
    assert [(block.line, block.reason) for block in blocks] == [(4, None), (9, "a fragment"), (15, None)]
    program = program_of(Path("page.md"), blocks)
    assert program.splitlines()[3] == "x = 1"
    assert program.splitlines()[14] == "print(x)"
    assert "raise" not in program


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [target for target in targets if "://" not in target and target and not (page.parent / target).exists()]
    assert not missing, f"{page.relative_to(ROOT)} links to {missing}"
