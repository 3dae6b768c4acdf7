"""The bar that long commands show on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)


def make_progress_bar(*more_columns: ProgressColumn, disable: bool = False) -> Progress:
    """Return a bar that is gone when it is done."""
    return Progress(
        TextColumn("{task.description:>24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *more_columns,
        console=Console(stderr=True),
        transient=True,
        disable=disable,
    )


@contextmanager
def show_steps(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar over so many steps; give what advances it by one and shows the step's name."""
    with make_progress_bar() as bar:
        task = bar.add_task(what, total=total)
        yield lambda text: bar.update(task, advance=1, description=escape(text))
