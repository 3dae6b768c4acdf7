"""One round of training: ``python -m models.calcification.training round --work DIR --seed N``.

A round draws tissue, makes regions, mines them with the committed model for what it mistakes,
continues the training of the dense network, cuts patches around its candidates, trains the two
patch networks and the one for the neighbours of a candidate, and writes the graphs into DIR. Every
step stores its results in DIR, so that the same command continues where it was cut off. Nothing is
written into the repository: check the figures, then copy the graphs and the manifest (see
README.md beside this folder).
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.calcification.training import (
    backgrounds,
    dense,
    export,
    mining,
    neighbour_network,
    patches,
    real,
    store,
)
from models.calcification.training.console import report_progress
from models.calcification.training.networks import Dense, Neighbours, Patches
from models.calcification.training.placed_solids import MORPHOLOGIES
from models.calcification.training.regions import HEADS
from models.calcification.training.tiles import Tiles
from models.calcification.training.weights import load_weights
from secondread.files import write_whole
from secondread_lab.simulate.seeds import seed_stream

COMMITTED = Path(__file__).parents[1]
"""Folder of the shipped graphs."""
VALIDATION_SEED = 900
"""Of the regions that no round trains on; their tissue is separate as well."""
EXACT = "-exact"
"""Suffix of a graph as it was trained, where the node runs it in 8-bit arithmetic; the next round
starts from the exact one."""
_EVERY = 10
"""One background of this many is for validation."""
_FOR_RANGES = 4000
_FOR_RANGES_REGIONS = 128


@dataclass(frozen=True, slots=True)
class Round:
    """The options of one round."""

    work: Path
    seed: int
    first_background: int
    """Number of the first view of tissue: earlier rounds had those before it."""
    backgrounds: int
    shards: int
    steps: int
    epochs: float
    rate: float
    """Highest learning rate of the dense network and of those of patches."""
    processes: int
    fresh: bool
    """Start from random weights rather than the committed ones."""
    real: Path | None
    """Folder of real exams whose allowed views serve as tissue too; None for none."""
    real_shards: int


def main(arguments: Sequence[str]) -> None:
    """Run one round."""
    plan = _parse_arguments(arguments)
    tissue = _draw_tissue(plan)
    train = [path for path in tissue if int(path.stem) % _EVERY]
    validation_tissue = [path for path in tissue if not int(path.stem) % _EVERY]
    simulated = _make_regions(plan, train, plan.seed, plan.shards, "regions")
    unseen = _make_regions(plan, validation_tissue, VALIDATION_SEED, 4, "validation")
    real_regions = _make_real_regions(plan)
    network = _train_dense(plan, simulated, real_regions)
    report_progress(f"dense: {_describe_sensitivity(mining.measure_sensitivity(network, unseen))}")
    rescore = _train_patch_networks(plan, network, simulated, real_regions)
    _train_neighbours(plan, network, rescore, simulated)


def _parse_arguments(arguments: Sequence[str]) -> Round:
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training round")
    parser.add_argument("--work", type=Path, required=True, help="folder of all that is made")
    parser.add_argument("--seed", type=int, default=1, help="of the round")
    parser.add_argument("--first-background", type=int, default=0, help="number of the first view")
    parser.add_argument("--backgrounds", type=int, default=320, help="views of tissue")
    parser.add_argument("--shards", type=int, default=100, help="of 64 regions each")
    parser.add_argument("--steps", type=int, default=8000, help="of the dense network")
    parser.add_argument("--epochs", type=float, default=3.0, help="of the patch networks")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--processes", type=int, default=2, help="that make data")
    parser.add_argument("--fresh", action="store_true", help="start from random weights")
    parser.add_argument("--real", type=Path, help="folder of real exams, see real.ALLOWED")
    parser.add_argument("--real-shards", type=int, default=25, help="of 64 regions each")
    return Round(**vars(parser.parse_args(arguments)))


def _draw_tissue(plan: Round) -> list[Path]:
    """Draw what is missing of the tissue, several processes side by side."""
    folder = plan.work / "backgrounds"
    draw = partial(_draw_background, folder, plan.first_background)
    _work_in_parallel(plan, draw, plan.backgrounds, "views of tissue")
    numbers = range(plan.first_background, plan.first_background + plan.backgrounds)
    return [folder / f"{number:05d}.npz" for number in numbers]


def _draw_background(folder: Path, first: int, number: int) -> None:
    cv2.setNumThreads(1)
    list(backgrounds.write_backgrounds(folder, iter([first + number])))


def _make_regions(plan: Round, tissue: list[Path], seed: int, count: int, name: str) -> list[Path]:
    folder = plan.work / name
    folder.mkdir(parents=True, exist_ok=True)
    _work_in_parallel(plan, partial(_make_shard, tissue, folder, seed), count, f"shards of {name}")
    # Shards of earlier rounds in the same folder are used again, with the new ones.
    return store.list_shards(folder)


def _make_real_regions(plan: Round) -> list[Path]:
    """Make the missing shards of real tissue with solids in it."""
    if plan.real is None:
        return []
    folder = plan.work / "real"
    folder.mkdir(parents=True, exist_ok=True)
    views = list(real.read_views(plan.real))
    if not views:
        raise SystemExit(f"{plan.real}: none of {', '.join(real.ALLOWED)} is there")
    folders = [folder / f"{plan.seed:03d}-{number:05d}" for number in range(plan.real_shards)]
    for number, target in enumerate(folders):
        if not target.exists():
            rng = seed_stream(plan.seed, "real", str(number))
            store.write_shard(target, list(real.make_real_regions(views, rng, store.SHARD)))
    report_progress(f"{len(folders)} shards of {len(views)} real views")
    return store.list_shards(folder)


def _make_shard(tissue: list[Path], folder: Path, seed: int, number: int) -> None:
    cv2.setNumThreads(1)
    list(store.generate_shards(tissue, folder, seed, iter([number])))


def _work_in_parallel(plan: Round, work: "partial[None]", count: int, what: str) -> None:
    # Spawned, not forked: PyTorch's threads do not survive a fork.
    with get_context("spawn").Pool(plan.processes) as pool:
        started = time.monotonic()
        for done, _ in enumerate(pool.imap_unordered(work, range(count)), start=1):
            if done % max(count // 20, 1) == 0:
                left = (time.monotonic() - started) / done * (count - done) / 60
                report_progress(f"{done}/{count} {what}, {left:.0f} min left")


def _train_dense(plan: Round, simulated: list[Path], lived: list[Path]) -> nn.Module:
    done = plan.work / f"dense-{plan.seed:03d}.pt"
    torch.manual_seed(plan.seed)
    network = Dense(len(HEADS))
    if done.exists():
        network.load_state_dict(torch.load(done, weights_only=True))
        return network.eval()
    if not plan.fresh:
        load_weights(network, _find_committed("dense"))
    # In real tissue an apparent mistake may be a calcification that is not listed.
    mistaken = None if plan.fresh else _mine(plan, network, simulated)
    checkpoint = plan.work / f"dense-{plan.seed:03d}.checkpoint"
    recipe = dense.DenseRecipe(
        steps=plan.steps, rate=plan.rate, seed=plan.seed, threads=plan.processes
    )
    tiles = Tiles([*simulated, *lived], mistaken)
    trained = dense.train(network, tiles, recipe, checkpoint, report_progress)
    exact = plan.work / f"dense{EXACT}.onnx"
    away = export.export_dense(trained, exact)
    images = store.sample_regions(simulated, _FOR_RANGES_REGIONS, plan.seed)
    off = export.quantise_dense(exact, plan.work / "dense.onnx", images)
    report_progress(
        f"dense.onnx written, {away:.1g} from PyTorch, in bytes log odds off by {off:.2f}"
    )
    # Last, since this file marks the whole step as done.
    with write_whole(done, durable=True) as part:
        torch.save(trained.state_dict(), part)
    return trained


def _mine(plan: Round, network: nn.Module, regions: list[Path]) -> npt.NDArray[np.int64]:
    path = plan.work / f"mistakes-{plan.seed:03d}.npy"
    if not path.exists():
        mistakes = mining.find_mistakes(network.eval(), regions)
        with write_whole(path, durable=True) as part:
            np.save(part, mistakes)
    mistaken: npt.NDArray[np.int64] = np.load(path)
    report_progress(f"{len(mistaken)} mistakes of the committed network mined")
    return mistaken


def _collect_samples(network: nn.Module, regions: list[Path]) -> patches.Samples:
    samples = patches.collect_samples(network, regions)
    report_progress(f"{len(samples.target)} candidates cut out of {len(regions)} shards")
    return samples


def _train_patch_networks(
    plan: Round, network: nn.Module, regions: list[Path], lived: list[Path]
) -> nn.Module:
    """Train both, write their graphs, and return the one that scores again."""
    done = plan.work / f"rescore-{plan.seed:03d}.pt"
    start = _make_start(plan, "rescore", len(HEADS) + 1, patches.RESCORE_PX)
    if done.exists():
        start.load_state_dict(torch.load(done, weights_only=True))
        return start.eval()
    recipe = patches.PatchRecipe(
        epochs=plan.epochs, rate=plan.rate, seed=plan.seed, threads=plan.processes
    )
    samples = simulated = _collect_samples(network, regions)
    rescore = patches.train_rescore(simulated, start, recipe, report_progress)
    if lived:
        real_ones = patches.drop_doubtful(_collect_samples(network, lived), rescore)
        samples = patches.join_samples([simulated, real_ones])
        rescore = patches.train_rescore(samples, rescore, recipe, report_progress)
    _export(plan, rescore, f"rescore{EXACT}", patches.RESCORE_PX, left_out=1)
    off = export.quantise_patches(
        plan.work / f"rescore{EXACT}.onnx",
        plan.work / "rescore.onnx",
        patches.draw_rescore_set(simulated, _FOR_RANGES, plan.seed),
    )
    report_progress(f"rescore.onnx written, log odds off by {off[0]:.2f}, other class {off[1]:.3f}")
    start = _make_start(plan, "describe", len(MORPHOLOGIES), patches.DESCRIBE_PX)
    describe = patches.train_describe(samples, start, recipe, report_progress)
    _export(plan, describe, "describe", patches.DESCRIBE_PX, left_out=0)
    with write_whole(done, durable=True) as part:
        torch.save(rescore.state_dict(), part)
    return rescore


def _train_neighbours(
    plan: Round, network: nn.Module, rescore: nn.Module, simulated: list[Path]
) -> None:
    spots = neighbour_network.collect_specks(network, rescore, simulated, report_progress)
    torch.manual_seed(plan.seed)
    # Trained anew, which takes minutes: the committed weights already lean to calcifications.
    start = Neighbours(HEADS)
    recipe = patches.PatchRecipe(
        epochs=neighbour_network.EPOCHS,
        patches=neighbour_network.SPOTS,
        rate=neighbour_network.RATE,
        seed=plan.seed,
        threads=plan.processes,
    )
    trained = neighbour_network.train(spots, start, recipe, report_progress)
    away = export.export_neighbours(trained, plan.work / "neighbours.onnx")
    report_progress(f"neighbours.onnx written, {away:.1g} from PyTorch")


def _make_start(plan: Round, name: str, outputs: int, side: int) -> Patches:
    torch.manual_seed(plan.seed)
    network = Patches(outputs, side)
    if not plan.fresh:
        load_weights(network, _find_committed(name))
    return network


def _find_committed(name: str) -> Path:
    """Return the file of the committed weights as they were trained."""
    exact = COMMITTED / f"{name}{EXACT}.onnx"
    return exact if exact.exists() else COMMITTED / f"{name}.onnx"


def _export(plan: Round, network: nn.Module, name: str, side: int, left_out: int) -> None:
    away = export.export_patches(network, side, plan.work / f"{name}.onnx", left_out)
    report_progress(f"{name}.onnx written, {away:.1g} from PyTorch")


def _describe_sensitivity(found: mining.Sensitivity) -> str:
    parts = (
        f"{share:.3f} at {rate} false/cm2"
        for share, rate in zip(found.found, found.false_per_cm2, strict=True)
    )
    return f"{', '.join(parts)} of {found.visible} visible calcifications"
