"""The first guess of a registration: skin fitted to skin, nipple to nipple."""

import numpy as np
from scipy.spatial import cKDTree

from secondread.followup.registration.alignment import Affine, apply_affine, is_plausible
from secondread.followup.registration.frame import PointsMm, ViewFrame

_LEAST_SKIN = 40  # points, one a millimetre: less of a skin line fits in too many places
_ROUNDS = 15
# The rest of a skin line may be where only one of the images shows the breast.
_NEAR_SHARE = 0.85


def fit_landmarks(current: ViewFrame, prior: ViewFrame) -> list[Affine]:
    """Return the maps that landmarks suggest, the best first: by skin, and by nipple alone."""
    here, there = current.nipple(), prior.nipple()
    shift = np.zeros(2) if here is None or there is None else (there[0] - here[0])[0]
    by_nipple = np.column_stack([np.eye(2), shift])
    by_skin = _fit_skin(current.skin(), prior.skin(), by_nipple)
    return [by_nipple] if by_skin is None else [by_skin, by_nipple]


def measure_skin_distance(current: ViewFrame, prior: ViewFrame, affine: Affine) -> float | None:
    """Return how far apart a map leaves the two skin lines, in mm; None where one is missing."""
    skin, other = current.skin(), prior.skin()
    if not len(skin) or not len(other):
        return None
    distance, _ = cKDTree(other).query(apply_affine(skin, affine))
    return float(np.mean(distance))


def _fit_skin(current: PointsMm, prior: PointsMm, start: Affine) -> Affine | None:
    """Return the similarity that fits one skin line to the other (iterated closest points)."""
    if min(len(current), len(prior)) < _LEAST_SKIN:
        return None
    tree = cKDTree(prior)
    affine = start
    for _ in range(_ROUNDS):
        distance, nearest = tree.query(apply_affine(current, affine))
        near = distance <= np.quantile(distance, _NEAR_SHARE)
        affine = _fit_similarity(current[near], prior[np.asarray(nearest)[near]])
        if not is_plausible(affine):
            return None
    return affine


def _fit_similarity(source: PointsMm, target: PointsMm) -> Affine:
    """Return the least-squares similarity of pairs of points (Umeyama 1991)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a)
    # Without the sign, the best orthogonal matrix may be a reflection, which no breast undergoes.
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt))])
    turn = u @ np.diag(sign) @ vt
    scale = float((s * sign).sum() / max((a**2).sum(), 1e-9))
    shift = target.mean(axis=0) - scale * turn @ source.mean(axis=0)
    return np.column_stack([scale * turn, shift])
