"""Python's search for circles of objects, left out where a great many are made and none stands in a circle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycles() -> Iterator[None]:
    """Keep Python from looking for circles of objects in this block.

    It would walk through all that is there whenever some hundreds were added: a third of the time of reading records,
    a tenth of that of an export (measured).

    >>> import gc
    >>> with no_cycles():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
