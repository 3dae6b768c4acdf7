"""The mix of the test exams: what there is, in which shares, how large and how faint.

Families
    alpha 23, beta 21, gamma 16, delta 22, and of those held out epsilon 19, zeta 19 of 120.
Density
    a 12, b 48, c 48, d 12 of 120.
Treatment
    lumpectomy 77, none 28, mastectomy (two views of the remaining breast) 15 of 120. After
    lumpectomy 0-8 clips; 4 of 5 with radiotherapy; 0.6 to 12 years ago.
Intent
    For Presentation 102, For Processing 18 of 120.
Clusters
    106 exams of 120 have a cluster of a suspicious or probably benign type: round 10, punctate 10,
    amorphous 24, coarse heterogeneous 15, fine pleomorphic 17, fine linear 16, fine linear
    branching 14; a third of them have a typically benign one beside it. The other 14 have a
    typically benign one alone: dystrophic 4, rims of fat necrosis 3, suture 2, large rod-like 2,
    popcorn 1, milk of calcium 2.
Contrast
    a cluster's usual member has a peak contrast-to-noise ratio (CNR) that is log-uniform between
    6 and 18, of amorphous ones between 3.5 and 9, at its unit, dose and pitch and behind average
    tissue; members spread about it by a factor of about 2, so that most lie between 2 and 25.
    Mineral density is uniform between 0.6 and 1.2 of the usual (amorphous 0.9 to 1.6), and the
    diameter follows from both within the type's limits. Benign types have diameters that are
    log-uniform between their limits instead.
Distribution
    of casts of ducts grouped 0.40, linear 0.32, segmental 0.28; of other suspicious types grouped
    0.56, linear 0.06, segmental 0.10, regional 0.16, diffuse 0.12.
Number and extent
    grouped: 6 to 20 members in 5 to 20 mm; linear: 6 to 16 in 12 to 28 mm; segmental: 14 to 32
    in 24 to 44 mm; regional: 16 to 40 in 25 to 45 mm; diffuse: 50 to 110 in the whole breast.
Without a cluster, and beside clusters too
    single calcifications 2 of 5 (one to four, never three within reach of each other on purpose),
    calcified vessels 1 of 4, skin calcifications 1 of 4, one solitary popcorn or rim 1 of 7,
    biopsy markers 1 of 7, nipple balls 1 of 3, wires on the scar 1 of 3 of those operated on,
    staples 1 of 14 and localisation wires 1 of 20 of them; technique burned in 1 of 2, paddle
    edge 1 of 3.
"""

from secondread.assemble.intent import Intent
from secondread.codes import Distribution, Morphology
from secondread_lab.simulate.phantom import Density

DECK = 120
"""Cards of each deck of shares: half of the full set, so that each half has them exactly."""

VENDORS = {"alpha": 23, "beta": 21, "gamma": 16, "delta": 22, "epsilon": 19, "zeta": 19}
DENSITIES: dict[Density, int] = {"a": 12, "b": 48, "c": 48, "d": 12}
HISTORIES = {"lumpectomy": 77, "none": 28, "mastectomy": 15}
INTENTS = {Intent.PRESENTATION: 102, Intent.PROCESSING: 18}
BENIGN = {
    Morphology.DYSTROPHIC: 4,
    Morphology.EGGSHELL: 3,
    Morphology.SUTURE: 2,
    Morphology.LARGE_ROD_LIKE: 2,
    Morphology.COARSE: 1,
    Morphology.MILK_OF_CALCIUM: 2,
}
TYPES = {
    Morphology.ROUND: 10,
    Morphology.PUNCTATE: 10,
    Morphology.AMORPHOUS: 24,
    Morphology.COARSE_HETEROGENEOUS: 15,
    Morphology.FINE_PLEOMORPHIC: 17,
    Morphology.FINE_LINEAR: 16,
    Morphology.FINE_LINEAR_BRANCHING: 14,
    **BENIGN,
}
USUAL = {
    Distribution.GROUPED: 0.56,
    Distribution.LINEAR: 0.06,
    Distribution.SEGMENTAL: 0.10,
    Distribution.REGIONAL: 0.16,
    Distribution.DIFFUSE: 0.12,
}
DUCTAL = {
    Distribution.GROUPED: 0.40,
    Distribution.LINEAR: 0.32,
    Distribution.SEGMENTAL: 0.28,
}
LAYOUTS: dict[Distribution, tuple[tuple[int, int], tuple[float, float]]] = {
    Distribution.GROUPED: ((6, 20), (5.0, 20.0)),
    Distribution.LINEAR: ((6, 16), (12.0, 28.0)),
    Distribution.SEGMENTAL: ((14, 32), (24.0, 44.0)),
    Distribution.REGIONAL: ((16, 40), (25.0, 45.0)),
    Distribution.DIFFUSE: ((50, 110), (60.0, 60.0)),
}
"""Least and greatest number of members, and extent in mm."""

SUSPICIOUS_CNR = (6.0, 18.0)
AMORPHOUS_CNR = (3.5, 9.0)
SINGLE_CNR = (4.0, 20.0)
"""Peak contrast-to-noise ratio of the usual member; `contrast.find_diameter` makes it a size."""

MINERAL = (0.6, 1.2)
AMORPHOUS_MINERAL = (0.9, 1.6)
"""Mineral density, against the usual one of the type."""

SECOND_CLUSTER = 1 / 3
SINGLES = 2 / 5
VESSELS = 1 / 4
SKIN = 1 / 4
SOLITARY = 1 / 7
BIOPSY_MARKER = 1 / 7
NIPPLE_BALL = 1 / 3
SCAR_WIRE = 1 / 3
STAPLES = 1 / 14
HOOK_WIRE = 1 / 20
TEXT = 1 / 2
PADDLE_EDGE = 1 / 3
"""Shares of exams; of scar wires, staples and hook wires, of those after lumpectomy."""

LIMITS_MM: dict[Morphology, tuple[float, float]] = {
    Morphology.ROUND: (0.14, 0.6),
    Morphology.PUNCTATE: (0.11, 0.35),
    Morphology.AMORPHOUS: (0.25, 0.9),
    Morphology.COARSE_HETEROGENEOUS: (0.3, 0.9),
    Morphology.FINE_PLEOMORPHIC: (0.13, 0.5),
    Morphology.FINE_LINEAR: (0.2, 0.8),
    Morphology.FINE_LINEAR_BRANCHING: (0.2, 0.8),
    Morphology.DYSTROPHIC: (0.6, 1.4),
    Morphology.EGGSHELL: (1.5, 5.0),
    Morphology.SUTURE: (0.3, 0.7),
    Morphology.LARGE_ROD_LIKE: (0.45, 0.9),
    Morphology.COARSE: (1.2, 3.0),
    Morphology.MILK_OF_CALCIUM: (0.5, 1.3),
}
"""Diameters, as `LesionSpec` means them, of a cluster's usual member."""

FEW: dict[Morphology, tuple[tuple[int, int], tuple[float, float]]] = {
    Morphology.DYSTROPHIC: ((3, 8), (8.0, 22.0)),
    Morphology.EGGSHELL: ((3, 5), (14.0, 28.0)),
    Morphology.SUTURE: ((3, 5), (10.0, 22.0)),
    Morphology.COARSE: ((3, 5), (6.0, 12.0)),
    Morphology.LARGE_ROD_LIKE: ((6, 18), (25.0, 50.0)),
    Morphology.MILK_OF_CALCIUM: ((6, 18), (8.0, 25.0)),
}
"""Number and extent of the benign types, whatever their distribution."""
