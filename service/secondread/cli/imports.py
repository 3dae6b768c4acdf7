"""Imports of processes that stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def import_to_stay() -> Iterator[None]:
    """Import in the block what lives as long as the process.

    The garbage collector, which would go through it again and again for a tenth of what the start
    costs, is off meanwhile, and leaves it alone from then on.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
