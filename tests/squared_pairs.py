"""What a benchmark of pairs can do without simulating any, for a process that has to import it."""

from secondread.judge.pair_runs import Bench, Found, Opened
from secondread.judge.pairs import ORACLE_READER


def squared(bench: Bench, opened: Opened, number: int) -> Found:
    (bench.out / f"read-{number}").touch()
    assert opened[1] == ORACLE_READER
    return [{"number": number, "square": number**2}] * (number % 3)
