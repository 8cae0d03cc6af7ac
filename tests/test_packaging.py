"""What the package says of itself is true."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import duograph

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_version_is_said_once() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", duograph.__version__)
    assert PROJECT["dynamic"] == ["version"]
    holders = [
        file for file in (ROOT / "duograph").rglob("*.py") if f'"{duograph.__version__}"' in file.read_text("utf-8")
    ]
    assert [file.name for file in holders] == ["__init__.py"]


def test_the_package_is_pure_python() -> None:
    suffixes = {file.suffix for file in (ROOT / "duograph").rglob("*") if file.is_file()}
    assert suffixes <= {".py", ".pyc", ".md", ".gz", ".typed"}


def test_bundled_data_has_its_source_and_licence_beside_it() -> None:
    for data in (ROOT / "duograph").rglob("*.gz"):
        readme = (data.parent / "README.md").read_text("utf-8")
        assert data.name in readme
        assert "Licence" in readme
        assert "Source" in readme


def test_the_licence() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"


def test_the_changelog_keeps_its_form() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:])


@pytest.mark.parametrize("command", [["-m", "duograph"], ["-c", "from duograph.cli import main; main()"]])
def test_the_command_tells_its_version(command: list[str]) -> None:
    run = subprocess.run([sys.executable, *command, "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == f"duograph {duograph.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--data", "mnist"], "expected the folder that holds them (--folder)"),
        (["demo", "--data", "mnist", "--folder", "nowhere"], "nowhere: expected a file train-images-idx3-ubyte"),
        (["demo", "--folder", "."], "the data set digits is part of Duograph: expected no folder"),
    ],
)
def test_an_error_of_the_user_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "duograph", *arguments, "--out", str(tmp_path)]
    run = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert message in run.stderr
    assert run.stderr.startswith("duograph: ")
    assert len(run.stderr.splitlines()) == 1


def test_the_extra_that_errors_name_exists() -> None:
    extras = PROJECT["optional-dependencies"]
    for file in (ROOT / "duograph").rglob("*.py"):
        for extra in re.findall(r"duograph\[(\w+)\]", file.read_text("utf-8")):
            assert extra in extras, f"{file.relative_to(ROOT)} names the extra {extra!r}"


def test_the_installed_command_is_the_declared_one() -> None:
    try:
        distribution = importlib.metadata.distribution("duograph")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("Duograph is imported from its folder, not installed")
    scripts = {entry.name: entry.value for entry in distribution.entry_points if entry.group == "console_scripts"}
    assert scripts == PROJECT["scripts"]
