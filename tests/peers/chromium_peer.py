"""Headless Chromium, which draws a page as a person sees it."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_SECONDS = 90.0


def draw_page(
    find_url: Callable[[], str], file: Path, size: tuple[int, int], *options: str
) -> None:
    """Draw a page into a PNG file; ask nobody but the page's own server.

    Pages that are drawn into one folder are asked for by one person: cookies stay.

    Parameters
    ----------
    find_url
        Called for each try: a link that signs in is good once.
    file
        What is written.
    size
        Width and height of the window, in pixels.
    options
        Further options of Chromium.
    """
    # Now and then it hangs at its start, before it asks for anything.
    with suppress(subprocess.TimeoutExpired):
        return _run(find_url(), file, size, options)
    return _run(find_url(), file, size, options)


def _run(url: str, file: Path, size: tuple[int, int], options: tuple[str, ...]) -> None:
    subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", "--hide-scrollbars", f"--user-data-dir={file.parent / 'profile'}"),
            *(f"--screenshot={file}", f"--window-size={size[0]},{size[1]}", *options, url),
        ],
        check=True,
        capture_output=True,
        timeout=_SECONDS,
    )
