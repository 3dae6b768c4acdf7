"""`secondread archive`, `backup` and `restore`: what the node stores, and copies of it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from secondread.cli.options import SettingsFile, read_settings
from secondread.cli.progress_bar import make_progress_bar
from secondread.clock import utc_now

if TYPE_CHECKING:
    from secondread.app.backup import BackupResult
    from secondread.app.verify import Verification

app = typer.Typer(
    help="The files that the node stores.", no_args_is_help=True, add_completion=False
)

_MOST_LINES = 100
"""Faults that are printed one by one; `--json` has all of them."""


@app.callback()
def _group() -> None:
    """Keep `verify` a command of a group while it is the only one."""


@app.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    settings: SettingsFile = None,
) -> None:
    """Read every stored file and compare it with its digest; exit 1 on a fault. Changes nothing."""
    from secondread.app.node import open_node
    from secondread.app.verify import verify_archive

    node = open_node(read_settings(settings, "archive"))
    with _count_files("files") as advance:
        found = verify_archive(node.archive, node.tracker, lambda files, _: advance(files))
    typer.echo(json.dumps(_as_json(found), indent=2) if as_json else _describe(found))
    if found.faults:
        raise typer.Exit(1)


def _as_json(found: "Verification") -> dict[str, object]:
    faults = [
        {"path": fault.path, "kind": fault.kind.value, "study": fault.study_uid, "hint": fault.hint}
        for fault in found.faults
    ]
    counts = {"files": found.files, "bytes": found.bytes, "unnamed": found.unnamed}
    return {"is_whole": not faults, **counts, "faults": faults}


def _describe(found: "Verification") -> str:
    lines = [
        f"{fault.path} is {fault.kind.value} (study {fault.study_uid or 'unknown'}): {fault.hint}"
        for fault in found.faults[:_MOST_LINES]
    ]
    if len(found.faults) > _MOST_LINES:
        lines.append(f"... and {len(found.faults) - _MOST_LINES} more; --json lists all")
    size = f"{found.files} files, {found.bytes / 1e9:.2f} GB"
    lines.append(f"{size}: {len(found.faults)} faults, {found.unnamed} that no row names")
    return "\n".join(lines)


@contextmanager
def _count_files(what: str) -> Iterator[Callable[[int], None]]:
    """Show on standard error how many files are done."""
    with make_progress_bar() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done: bar.update(task, completed=done)


BackupFolder = Annotated[Path, typer.Argument(help="The backup folder.", show_default=False)]


def backup(
    folder: BackupFolder,
    link: Annotated[
        bool,
        typer.Option(
            "--link",
            help="Hard-link files instead of copying them, where that is possible: fast, and no "
            "protection against a disk that fails.",
        ),
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """Copy database and archive into a folder, while the node runs; exit 1 on a fault.

    Earlier backups in the folder stay, and files that they have are not copied again. One that was
    broken off goes on when it is called again.
    """
    from secondread.app.backup import back_up
    from secondread.app.node import open_node

    node = open_node(read_settings(settings, "backup"))
    with _count_files("files") as advance:
        result = back_up(node, folder, utc_now(), link=link, report=advance)
    typer.echo(f"{result.snapshot}: {result.files} files, {result.copied} of them new")
    typer.echo(
        "The settings file, certificates and tokens in files are not part of it. A backup holds "
        "images and names: protect it as the node itself."
    )
    _end(result, "`secondread archive verify` says what to do about")


def restore(
    folder: BackupFolder,
    snapshot: Annotated[
        str | None,
        typer.Option(help="Name of the snapshot. Default: the newest.", show_default=False),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Put a backup into an empty data folder; exit 1 on a fault.

    One that was broken off goes on when it is called again; no node starts there before its end.
    """
    from secondread.app.backup import restore as restore_backup
    from secondread.track.snapshot import DUMP_NAME

    loaded = read_settings(settings, "restore")
    with _count_files("files") as advance:
        result = restore_backup(loaded, folder, snapshot, advance)
    typer.echo(f"{loaded.node.data_dir}: {result.files} files of {result.snapshot}")
    dump = result.snapshot / DUMP_NAME
    if dump.is_file():
        typer.echo(f"Now restore the database: pg_restore --no-owner --dbname=DATABASE {dump}")
    typer.echo(
        f"WARNING: this is installation {result.installation_id[:8]}, the same as the node that "
        "the backup was made of. Never run both: they would give different results the same "
        "UIDs. What that node read after the backup is not in it, and is read again here, under "
        "UIDs that a PACS may hold already."
    )
    _end(result, "when the node starts, an alarm names the study of")


def _end(result: "BackupResult", advice: str) -> None:
    for fault in result.faults[:_MOST_LINES]:
        typer.echo(f"{fault.path} is {fault.kind.value}", err=True)
    if result.faults:
        typer.echo(f"{len(result.faults)} files are not in it; {advice} each", err=True)
        raise typer.Exit(1)
