"""``python -m models.calcification.training COMMAND``: the one way in to training.

Each command is a module, which is imported when it is called: some need no PyTorch. What spawned
processes run must be in such a module, too, since they cannot import from the ``__main__`` of a
package.
"""

import argparse
import sys
from importlib import import_module

COMMANDS = {
    "round": "models.calcification.training.round",
    "fit": "models.calcification.training.fitting",
    "certainty": "models.calcification.training.certainty",
    "costs": "models.calcification.training.operating_points",
    "groups": "models.calcification.training.group_tables",
    "benchmark": "models.calcification.training.benchmark",
    "likeness": "models.calcification.fit_likeness",
}
"""The modules of the commands: one round of training; calibration and operating points of its
graphs; those of clusters and exams, of a finished model; what its points cost; tables of groups; a
plain network to compare with; the reference of the likeness gate."""


def main() -> None:
    """Run the command that is named first, with all arguments after it."""
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training")
    parser.add_argument("command", choices=COMMANDS)
    name = parser.parse_args(sys.argv[1:2]).command
    import_module(COMMANDS[name]).main(sys.argv[2:])


if __name__ == "__main__":
    main()
