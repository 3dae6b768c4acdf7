"""What is known of a revision besides its images: missing views, priors, treatments."""

from secondread.assemble.viewset import StudyViews
from secondread.followup.header_treatments import read_header_treatments
from secondread.followup.treatment_status import find_mastectomy_sides
from secondread.reading import StudyContext
from secondread.track.tracker import Tracker
from secondread.workflow.inputs import GatheredPriors, RevisionInputs
from secondread.workflow.prior_readings import describe_priors
from secondread.workflow.treatments import decode_treatments


def gather_context(
    tracker: Tracker, material: RevisionInputs, priors: GatheredPriors
) -> StudyContext:
    """Return what is known of a revision from record, header and priors."""
    claimed, to_read = material.claimed, material.selection.to_read
    known = tracker.studies.find_views(claimed.study_uid)
    # Where images of two patients came as one study, nobody knows whose history it is.
    headers = () if material.is_mixed else material.headers.values()
    recorded = decode_treatments(tracker.treatments.list_for_study(claimed.study_uid))
    said = read_header_treatments(headers)
    days = {m.study_date for m in to_read}
    removed = find_mastectomy_sides(said, max((day for day in days if day), default=None))
    views = {(m.laterality.letter, m.view.name) for m in to_read if m.laterality and m.view}
    return StudyContext(
        revision=claimed.number,
        cause=claimed.cause.value,
        missing_views=StudyViews(
            views, known.priors, {*known.mastectomy_sides, *removed}
        ).find_missing_slots(),
        priors=describe_priors(material, priors),
        no_prior_reason=priors.reason,
        treatments=() if material.is_mixed else (*recorded, *said),
        invalid_instances=material.invalid,
        is_withdrawn=material.is_withdrawn,
    )
