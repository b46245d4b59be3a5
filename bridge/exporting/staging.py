"""A set of files that takes the place of another as one: written beside it, and moved only when all of it is there.

::

    DIR/.export.new/    what is being written; after a crash the next export throws it away
    DIR/.export/        all of it is written; after a crash the next export, or `recover`, finishes the moves

So a crash leaves the old files as they were, or all that is needed to put the new ones in their places.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import StoreError

_WRITING, _WRITTEN = ".export.new", ".export"
_STALE = "stale"


@contextmanager
def staged(folder: Path, stale: Iterable[Path]) -> Iterator[Path]:
    """A folder to write into, whose files take their places in ``folder`` at the end of the ``with``.

    Args:
        folder: where the files belong; it is made where it does not exist.
        stale: files of the old set, relative to the folder; those that the new set lacks are removed.

    Raises:
        StoreError: the folder cannot be written; what was there is as it was.
    """
    with _explained(folder):
        recover(folder)
        new = folder / _WRITING
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
    try:
        with _explained(folder):
            yield new
            (new / _STALE).write_text("".join(f"{path.as_posix()}\n" for path in stale), "utf-8")
            _sync(new)
            new.rename(folder / _WRITTEN)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    recover(folder)


def recover(folder: Path) -> bool:
    """Finish the moves that a crash interrupted; returns whether there were any.

    Raises:
        StoreError: the folder cannot be written; running it again goes on from there.

    >>> recover(Path("nowhere"))
    False
    """
    written = folder / _WRITTEN
    if not written.is_dir():
        return False
    with _explained(folder):
        stale = written / _STALE
        if stale.exists():
            files = {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()}
            for name in stale.read_text("utf-8").splitlines():
                # A file that was already moved is new, and no longer in the stage: the list goes before the first move.
                if name not in files:
                    (folder / name).unlink(missing_ok=True)
                    _remove_empty((folder / name).parent, folder)
            stale.unlink()
        for path in sorted(written.rglob("*")):
            if path.is_file():
                target = folder / path.relative_to(written)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        shutil.rmtree(written)
    return True


def _remove_empty(inner: Path, folder: Path) -> None:
    """Remove a folder that held the splits of a format that is no more."""
    if inner != folder and inner.is_dir() and not any(inner.iterdir()):
        inner.rmdir()


def _sync(folder: Path) -> None:
    """See that every file is on the disk before the set counts as written."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written: {error.strerror or error}",
            remedy="free some space, or choose another folder",
        ) from None
