"""Words for a region and the clusters inside it: siblings that name each other."""

from secondread.findings.finding import Finding, ImageReading
from secondread.findings.member_words import describe_count


def describe_region(image: ImageReading, finding: Finding) -> tuple[str, ...]:
    """Return how a finding relates to a region or to what lies in it, as clauses.

    As ``within region 3 of 40 calcifications`` for a cluster, ``region of 40 calcifications with 1
    inside`` for what is around it; none for a finding of one level. What is not shown has no number
    that a reader could look for.
    """
    if finding.region is not None:
        region = next((f for f in image.findings if f.id == finding.region), None)
        return (_describe_around(image, region),) if region is not None else ()
    names = [cluster.number for cluster in image.list_inner(finding) if cluster.shown]
    if not names:
        return ()
    return (f"region of {_describe_whole(image, finding)} with {' and '.join(names)} inside",)


def _describe_around(image: ImageReading, region: Finding) -> str:
    whole = _describe_whole(image, region)
    if region.shown:
        return f"within region {region.number} of {whole}"
    return f"within a fainter region of {whole}, not marked"


def _describe_whole(image: ImageReading, region: Finding) -> str:
    """Return the number of a region's calcifications, those of the clusters inside it included."""
    number = len(region.members) + sum(len(f.members) for f in image.list_inner(region))
    return describe_count(number, 0)
