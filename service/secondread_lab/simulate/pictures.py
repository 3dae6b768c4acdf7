"""Pictures for people and masks for programs, written as image files."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt


def write_picture(path: Path, picture: npt.NDArray[np.uint8], options: Sequence[int] = ()) -> Path:
    """Write a picture in the format of its suffix, and return its path.

    Parameters
    ----------
    options
        OpenCV's parameters of the format.

    Raises
    ------
    OSError
        The picture cannot be encoded, or the file cannot be written.
    """
    encoded, data = cv2.imencode(path.suffix, picture, options)
    if not encoded:
        raise OSError(f"{path}: the picture cannot be encoded")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
    return path
