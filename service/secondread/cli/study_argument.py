"""Studies as the command line names them."""

from typing import Annotated

import typer

StudyUid = Annotated[
    str,
    typer.Argument(
        help="Study Instance UID, or as much of its beginning or end as names it alone; or as "
        "`secondread studies list` shortens it."
    ),
]
"""What `StudyLookup.find_uid` takes."""
