"""`service/docs/suspicion.md`: the table behind suspicion in print, with a worked example.

A test compares the document with `build_document`; after a change of the table, from the root of
the repository:

    PYTHONPATH=service python -m secondread.findings.suspicion_document > service/docs/suspicion.md
"""

import sys
from collections.abc import Iterator

from secondread.codes import Distribution, Morphology
from secondread.findings.label_words import shorten_meaning
from secondread.findings.published_shares import DISTRIBUTIONS, TYPES, Source
from secondread.findings.suspicion import MALIGNANT_SHARE, ODDS_FACTOR, compute_suspicion
from secondread.findings.typically_benign import LEAST_BENIGN, LEAST_SUSPICIOUS

_TYPES = (
    (Morphology.PUNCTATE, 0.40),
    (Morphology.FINE_PLEOMORPHIC, 0.35),
    (Morphology.AMORPHOUS, 0.25),
)
_BENIGN = Morphology.SUTURE
_SPREADS = ((Distribution.GROUPED, 0.6), (Distribution.LINEAR, 0.4))


def build_document() -> str:
    """Return the document, as Markdown."""
    return "\n".join((*_write_head(), *_write_tables(), *_write_example(), *_write_rest())) + "\n"


def _write_head() -> Iterator[str]:
    yield from ("# Suspicion: the table", "")
    yield (
        "How calcifications so described turned out where they were biopsied or followed, as "
        "published. It is no probability of cancer in this woman: most of these women had not been "
        "treated, and the descriptors here are a program's. This page is made from "
        "`findings/published_shares.py`, and a test keeps the two equal. What suspicion is for, "
        "and how it orders: [priority](priority.md)."
    )
    yield ""


def _write_tables() -> Iterator[str]:
    numbers = {source: number for number, source in enumerate(Source, start=1)}
    yield from ("## Types", "", "| type | malignant, published | counts as | source |")
    yield "|---|---|---|---|"
    for kind, published in TYPES.items():
        cohorts = " and ".join(f"{percent:g} %" for percent in published.percents)
        remark = f" ({published.remark})" if published.remark else ""
        counts = f"{100 * published.share:.4g} %"
        name = shorten_meaning(kind)
        yield f"| {name} | {cohorts}{remark} | {counts} | [{numbers[published.source]}] |"
    yield from ("", "## Distributions", "")
    yield "A factor on the odds of the type: the odds of calcifications with this distribution over"
    yield "those of all in the same series."
    yield from (
        "",
        "| distribution | malignant, published | factor | source |",
        "|---|---|---|---|",
    )
    for spread, factor in DISTRIBUTIONS.items():
        published_as = (
            "-" if factor.percent is None else f"{factor.percent:g} % of {factor.among:g} %"
        )
        name = shorten_meaning(spread)
        source = numbers[factor.source]
        yield f"| {name} | {published_as}: {factor.remark} | {factor.factor:g} | [{source}] |"
    yield from ("", "## Sources", "")
    yield from (f"{number}. {source.value}" for source, number in numbers.items())
    yield ""


def _write_example() -> Iterator[str]:
    yield from ("## A worked example", "")
    types = ", ".join(f"{shorten_meaning(kind)} {100 * share:.0f} %" for kind, share in _TYPES)
    spreads = ", ".join(f"{shorten_meaning(kind)} {100 * share:.0f} %" for kind, share in _SPREADS)
    yield (
        f"A cluster is {types}; its distribution {spreads}. All labels count by their confidence, "
        "those that no report names as well."
    )
    yield from ("", "| type | share | odds | share where linear | expected | times confidence |")
    yield "|---|---|---|---|---|---|"
    (_, grouped), (_, linear) = _SPREADS
    sums = []
    for kind, confidence in _TYPES:
        share = MALIGNANT_SHARE[kind]
        odds = share / (1 - share)
        in_line = odds * ODDS_FACTOR[Distribution.LINEAR]
        there = in_line / (1 + in_line)
        expected = grouped * share + linear * there
        sums.append(f"{100 * confidence * expected:.2f}")
        yield (
            f"| {shorten_meaning(kind)} | {100 * share:.4g} % | {odds:.3f} | {100 * there:.1f} % | "
            f"{100 * expected:.1f} % | {sums[-1]} |"
        )
    total = compute_suspicion(_TYPES, _SPREADS)
    yield from ("", f"Suspicion: {' + '.join(sums)} = **{total}**.", "")


def _write_rest() -> Iterator[str]:
    yield from ("## What changes no number", "")
    yield (
        "The number of calcifications, change since a prior, agreement of two views, the place, "
        "scars and treatment: they stand beside suspicion in every report. Two labels are not "
        "given at all without their evidence, and then do not count: casting types where three "
        "calcifications are hardly there, and a segment with fewer than five sure ones over more "
        "than 1 cm (`findings/describe.py`)."
    )
    yield from ("", "## Typically benign", "")
    yield (
        f"Calcifications of a typically benign type count {100 * MALIGNANT_SHARE[_BENIGN]:g} %, "
        f"however they are spread. A cluster is named and not marked if such a type has a "
        f"probability of {LEAST_BENIGN:g} % or more, by a table of the model, and no suspicious "
        f"type has a share of {100 * LEAST_SUSPICIOUS:g} % or more."
    )


if __name__ == "__main__":
    sys.stdout.write(build_document())
