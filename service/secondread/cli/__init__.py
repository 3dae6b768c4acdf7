"""The command line: `secondread COMMAND`, each with ``--help``."""

import sys
import warnings

from secondread.errors import SecondreadError


def main() -> None:
    """Run a command; errors of ours are one clear message and an exit status, no traceback."""
    # pydicom's warnings quote the values they complain of, patients' names among them, and they
    # would go to standard error. In the tests every warning is an error.
    warnings.simplefilter("ignore")
    from secondread.cli.commands import app

    try:
        app()
    except SecondreadError as error:
        sys.stderr.write(f"secondread: {error}\n")
        sys.exit(2)
    except OSError as error:
        # A folder that cannot be written to, for example; which one, the error itself says.
        sys.stderr.write(f"secondread: {error}\n")
        sys.exit(2)
