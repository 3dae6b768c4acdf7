"""Kills a node's processes, its database and its PACS again and again, and looks at the promises.

``python -m tests.kills.campaign --kills 200 --seed 1 [--database postgresql] [--plant NAME]``

A part of the kills comes at random moments, the rest at the steps that an undisturbed study showed
(`tests.kills.points`), before or after each. Which, when and what is killed follows from the seed;
how the processes' threads and the machine's load then fall together does not.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from secondread.errors import TransientError
from secondread_lab.simulate.exam import write_exam
from tests.kills import invariants
from tests.kills.points import Plan, note_kill, read_trace, set_plan, withdraw_plan
from tests.kills.world import SPEC, World, cut_images
from tests.peers.postgres_server import running_server

PER_ROUND = 6
"""How many kills there are until studies may come to their end, and all promises are looked at."""

ROUNDS_PER_SWEEP = 8
"""After so many rounds the node is stopped, and nothing may be left behind."""

REACH_SECONDS = 240.0
"""Within this time some process has to come to a step at which a kill is set."""

_EVERYTHING = "power"


class Place(NamedTuple):
    """A step at which a process can be killed."""

    kind: str
    point: str
    phase: str


@dataclass
class Tally:
    """What was killed, and what came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    """By what was killed."""
    places: Counter[Place] = field(default_factory=Counter)
    """Kills at named steps."""
    studies: int = 0
    files_lost: int = 0
    """Files that power cuts took, because they had not been flushed."""
    faults: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The number of kills."""
        return self.kills.total()

    def describe(self) -> str:
        """Return the figures in a few lines."""
        by_target = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        lines = [
            f"{self.total} kills ({by_target}), {self.places.total()} of them at "
            f"{len(self.places)} named steps; {self.studies} studies; {len(self.faults)} faults",
        ]
        steps = Counter(f"{place.kind}: {place.point}" for place in self.places.elements())
        lines += [f"  {count:3} {step}" for step, count in sorted(steps.items())]
        return "\n".join([*lines, *(f"FAULT {fault}" for fault in self.faults)])


class Campaign:
    """Kills in a world, by a seed.

    Parameters
    ----------
    world
        What is killed.
    seed
        Of all choices.
    say
        Is given lines about what happens.
    """

    def __init__(
        self, world: World, seed: int, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.world, self.tally = world, Tally()
        self._random = random.Random(seed)
        self._say = say
        self._places: list[Place] = []
        self._open: list[str] = []

    def learn_places(self) -> list[str]:
        """Have one study come to its end undisturbed, and learn its steps; return faults."""
        study = self.world.begin_study()
        faults = self.world.await_study(study) or self.world.find_faults([study])
        steps, _ = read_trace(self.world.node.steps)
        ready = max((s.at for s in steps if s.point.endswith("begin-association")), default=0)
        first = min((s.at for s in steps if s.point == "store-instance"), default=ready)
        seen = dict.fromkeys(
            Place(s.kind, s.point, s.phase)
            for s in steps
            if s.at >= first
            and s.phase in {"before", "after"}
            # A worker that starts after the first image migrates, and does so no more.
            and s.point not in {"fsync", "migrate"}
            # What these do once, at their first start, they do not do again.
            and s.kind not in {"web", "serve"}
        )
        # One that is reached by all starts as well: the choice below finds it there.
        seen |= dict.fromkeys(
            Place("serve", "start-member", phase) for phase in ("before", "after")
        )
        self._places = list(seen)
        self.tally.faults += faults
        return faults

    def run(self, kills: int) -> Tally:
        """Kill so many times, or until a promise is broken."""
        rounds = 0
        while self.tally.total < kills and not self.tally.faults:
            self._run_round(min(PER_ROUND, kills - self.tally.total))
            rounds += 1
            if rounds % ROUNDS_PER_SWEEP == 0 and not self.tally.faults:
                self.sweep()
                self.world.node.start()
        if not self.tally.faults:
            self.sweep()
        return self.tally

    def kill_at(self, place: Place, victim: str = "self", nth: int = 0) -> None:
        """Have a process killed when it comes to a step, or something else at that moment.

        Parameters
        ----------
        place
            The step.
        victim
            What is killed: ``self`` or a kind.
        nth
            When it comes there for the how manieth time; 0: as the seed chooses.
        """
        nth = nth or self._random.choice((1, 1, 1, 2))
        steps = self.world.node.steps
        set_plan(steps, Plan(*place, nth, self._find_victims(victim)))
        deadline = time.monotonic() + REACH_SECONDS
        while not (steps / "fired").exists():
            self._keep_going()
            if time.monotonic() > deadline:
                withdraw_plan(steps)
                self.tally.faults.append(f"no process came to {place} within {REACH_SECONDS:g} s")
                return
            if place.kind == "serve":  # it comes there when it has to start something
                self._kill_some(("web",))
            time.sleep(0.1)
        self.tally.places[place] += 1
        self._count(place.kind if victim == "self" else victim, f"{place.phase} {place.point}")

    def kill_somewhere(self, target: str, after_seconds: float) -> None:
        """Kill something after a while."""
        deadline = time.monotonic() + after_seconds
        while time.monotonic() < deadline:
            self._keep_going()
            time.sleep(0.1)
        if target == _EVERYTHING:
            note_kill(self.world.node.steps, target)
            self.tally.files_lost += self.world.node.cut_power()
            self.world.node.launch()
        elif not self._kill_some((target,)):
            return
        self._count(target, f"after {after_seconds:.1f} s")

    def _run_round(self, kills: int) -> None:
        named = sorted(self._random.sample(range(len(self._places)), min(kills * 2 // 3, kills)))
        for index in named:
            self.kill_at(self._places[index], self._choose_victim(self._places[index]))
        for _ in range(kills - len(named)):
            if self.tally.faults:
                break
            self.kill_somewhere(self._choose_target(), self._random.uniform(0.0, 8.0))
        self.finish_studies()

    def finish_studies(self) -> None:
        """Have all studies come to their end, and look at all promises about them."""
        world = self.world
        for study in self._open:
            self.tally.faults += world.await_study(study)
            self._keep_going(begin=False)
        if not self.tally.faults:
            self.tally.faults += world.find_faults(self._open)
        self._open = []
        tally = self.tally
        self._say(f"{tally.total} kills, {tally.studies} studies, {len(tally.faults)} faults")

    def sweep(self, restarts: int = 2) -> None:
        """Stop the node, and look at what is left behind when sweepers had their time."""
        self.tally.faults += self.world.find_leftovers(restarts)
        self._say(f"nothing left behind: {not self.tally.faults}")

    def _keep_going(self, *, begin: bool = True) -> None:
        """Start again what was killed, and have something under way."""
        world = self.world
        world.keep_running()
        is_idle = not world.modality.is_sending and all(map(world.node.has_delivered, self._open))
        if begin and is_idle:
            self._open.append(world.begin_study(in_one_association=self._random.random() < 0.5))
            self.tally.studies += 1

    def _choose_victim(self, place: Place) -> str:
        others = ["pacs", "pacs", "serve"] + (
            ["database"] * 3 if self.world.server is not None else []
        )
        if place.kind in {"serve", "child"} or self._random.random() < 0.75:
            return "self"
        return self._random.choice(others)

    def _choose_target(self) -> str:
        # What restarts quickly more often than what takes the whole node along.
        targets = ["receive", "work", "work", "child", "web", "pacs"] * 2 + ["serve", _EVERYTHING]
        targets += ["database"] * 4 if self.world.server is not None else []
        return self._random.choice(targets)

    def _find_victims(self, victim: str) -> list[int]:
        match victim:
            case "self":
                return []
            case "pacs":
                return [self.world.pacs.pid]
            case "database":
                assert self.world.server is not None
                return [self.world.server.pid]
            case kind:
                return self.world.node.find(kind)

    def _kill_some(self, targets: Sequence[str]) -> bool:
        """Kill one process; return whether there was one."""
        pids = [pid for target in targets for pid in self._find_victims(target) if pid]
        if not pids:
            return False
        note_kill(self.world.node.steps, targets[0])
        with suppress(ProcessLookupError):
            os.kill(self._random.choice(pids), signal.SIGKILL)
        return True

    def _count(self, victim: str, where: str) -> None:
        self.tally.kills[victim] += 1
        self._say(f"killed {victim} {where}")
        self._keep_going(begin=False)
        self._look_at_received()

    def _look_at_received(self) -> None:
        """After each kill: what was answered Success is there."""
        answered = [i for i in self.world.modality.answered if i.study_uid in set(self._open)]
        # While the database is being started, the round's end looks again.
        with suppress(TransientError), self.world.node.database.begin_read() as session:
            self.tally.faults += invariants.find_received_faults(
                session, self.world.node.data_dir, answered
            )


@contextmanager
def open_world(folder: Path, database: str, plant: str) -> Iterator[World]:
    """Make a world in a folder and start it; close it in the end."""
    exam = write_exam(SPEC, folder / "exam")
    images = cut_images(exam.current, folder / "images")
    with nullcontext() if database == "sqlite" else running_server() as server:
        world = World(folder, images, server, plant)
        try:
            world.start()
            yield world
        finally:
            world.close()


def main() -> int:
    """Run a campaign; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--plant", default="")
    parser.add_argument("--keep", type=Path, help="a new folder for everything, which stays")
    wanted = parser.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.0f} s  {line}", flush=True)

    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        folder = Path(temporary)
        if wanted.keep is not None:
            folder = wanted.keep.resolve()
            folder.mkdir(parents=True)
        with open_world(folder, wanted.database, wanted.plant) as world:
            campaign = Campaign(world, wanted.seed, say)
            tally = campaign.tally if campaign.learn_places() else campaign.run(wanted.kills)
    print(tally.describe())
    print(f"again: --seed {wanted.seed} --database {wanted.database} --kills {wanted.kills}")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
