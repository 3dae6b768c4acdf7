"""How many rows there are in each state, without counting them.

Counting a table takes longer with every year. The database's own triggers note each change of a
count in the transaction that makes it (`CountChangeRow`), whoever writes and by whichever
statement, so that sums are exact at any moment, after a crash, and in a restored backup.
"""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from secondread.track.database import TrackerPart
from secondread.track.tables import CountChangeRow, Counted

MOST_CHANGES = 1000
"""More are replaced by their sums; reading so many takes a millisecond."""

MOST_AT_ONCE = 50_000
"""Of changes that one transaction replaces: none may keep the database long."""

CountKey = tuple[Counted, str, str]
"""What is counted, in which state, and by what else: see `Counted`."""


def read_counts(session: Session) -> Mapping[CountKey, int]:
    """Return all counts that are not zero."""
    key = CountChangeRow.counted, CountChangeRow.state, CountChangeRow.label
    number = func.sum(CountChangeRow.change)
    rows = session.execute(select(*key, number).group_by(*key).having(number != 0))
    return {(counted, state, label): int(sum_) for counted, state, label, sum_ in rows}


class Counts(TrackerPart):
    """The counts, and what keeps them short."""

    def fold(self, most: int = MOST_CHANGES) -> int:
        """Replace changes by their sums, if there are more than `most`; return how many.

        Several processes may do it at once, while others add changes: each change is taken by one
        of them, and what is added meanwhile stays. So does what is beyond `MOST_AT_ONCE`.
        """
        changes = select(CountChangeRow.id).limit(most + 1)
        with self._database.begin_read() as session:
            if len(session.scalars(changes).all()) <= most:
                return 0
        some = select(CountChangeRow.id).order_by(CountChangeRow.id).limit(MOST_AT_ONCE)
        taken = (
            delete(CountChangeRow)
            .where(CountChangeRow.id.in_(some))
            .returning(
                CountChangeRow.counted,
                CountChangeRow.state,
                CountChangeRow.label,
                CountChangeRow.change,
            )
        )
        with self._database.begin_write() as session:
            sums: Counter[CountKey] = Counter()
            rows = session.execute(taken).all()
            for counted, state, label, change in rows:
                sums[counted, state, label] += change
            folded = [
                {"counted": counted, "state": state, "label": label, "change": change}
                for (counted, state, label), change in sums.items()
                if change
            ]
            if folded:
                session.execute(insert(CountChangeRow), folded)
        return len(rows)
