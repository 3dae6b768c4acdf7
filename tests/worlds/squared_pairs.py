"""What a benchmark of pairs can do without simulating any, for a process that has to import it."""

from secondread_lab.judge.pair_oracle import ORACLE_READER
from secondread_lab.judge.pair_runs import OpenedModels, PairBenchmark, PairRows


def squared(bench: PairBenchmark, models: OpenedModels, number: int) -> PairRows:
    (bench.out / f"read-{number}").touch()
    assert models.current.reader == ORACLE_READER
    # Each process opens the older model too, where there is one.
    assert (models.older is None) == (bench.older is None)
    return [{"number": number, "square": number**2}] * (number % 3)
