"""The compiled kernel is there for these tests, even in a checkout that was not installed."""

from __future__ import annotations

import builtins
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bridge.curate import kernel

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def hatch_build() -> ModuleType:
    """The build hook, as the build tool loads it."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def compiled(hatch_build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compiled from the source that is tested, so that nobody tests the library of yesterday."""
    target = tmp_path_factory.mktemp("kernel") / "_kernel.bin"
    assert hatch_build.compile_kernel(target) == ""
    kernel.LIBRARY = target
    kernel.library.cache_clear()


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function after which packages are as if they were not installed."""
    real = builtins.__import__

    def hide(*packages: str) -> None:
        def found(name: str, *rest: Any) -> Any:
            if name.partition(".")[0] in packages:
                raise ImportError(name)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", found)

    return hide
