"""What every test stands on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from duograph.runtime.settings import realize

# Deterministic examples, so that a failure on one machine is one on every machine; no deadline on shared cores.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True, scope="session")
def home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's own configuration and caches."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
        patch.setenv("DUOGRAPH_CHECK", "1")  # the compiler's passes check one another
        yield


@pytest.fixture(autouse=True)
def nothing_pending() -> None:
    """Each test begins with all earlier work done, so that the traces it counts are its own."""
    realize()


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans made in the test are compiled at once."""
    monkeypatch.setenv("DUOGRAPH_TIER", "compiled")
