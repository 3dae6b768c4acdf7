"""``python -m models.calcification.training``: one round of training, see `round`.

The work is in a module of its own, because what processes that are spawned shall run cannot be
found in the ``__main__`` of a package.
"""

from models.calcification.training.round import main

if __name__ == "__main__":
    main()
