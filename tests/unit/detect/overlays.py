"""A site's calibration with round numbers."""

from datetime import date

from secondread.detect.site_overlay import SiteCalibration, SiteOperatingPoint


def overlay(digest: str, number: int = 1, minimum: float = 61.5) -> SiteCalibration:
    point = SiteOperatingPoint(
        number=number,
        minimum_certainty=minimum,
        wanted_per_view=0.3,
        clusters=14,
        per_view=0.2917,
        interval=(0.1595, 0.4894),
        left_out_per_view=0.3333,
        certainty_interval=(55.0, 70.1),
    )
    return SiteCalibration(
        schema_version=1,
        base_digest=digest,
        model="dummy 0.1",
        node_version="1.0",
        made_on=date(2026, 11, 22),
        exams=12,
        women=12,
        views=48,
        views_not_read=2,
        operating_points=(point,),
    )
