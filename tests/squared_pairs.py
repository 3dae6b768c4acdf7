"""What a benchmark of pairs can do without simulating any, for a process that has to import it."""

from secondread.judge.pair_oracle import ORACLE_READER
from secondread.judge.pair_runs import Bench, Found, Models


def squared(bench: Bench, models: Models, number: int) -> Found:
    (bench.out / f"read-{number}").touch()
    assert models.now.reader == ORACLE_READER
    # Each process opens the older model too, where there is one.
    assert (models.older is None) == (bench.older is None)
    return [{"number": number, "square": number**2}] * (number % 3)
