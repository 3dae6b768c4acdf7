"""What is known of a revision besides its images: missing views, priors, treatments."""

from secondread.assemble.viewset import missing_slots
from secondread.followup.history import read_history
from secondread.followup.treatment import mastectomy_sides
from secondread.reading import Circumstances
from secondread.track.tracker import Tracker
from secondread.workflow.material import Material, Priors
from secondread.workflow.priors import as_known
from secondread.workflow.treatments import from_entries


def circumstances(tracker: Tracker, material: Material, priors: Priors) -> Circumstances:
    """Return what is known of a revision from record, header and priors."""
    claimed, to_read = material.claimed, material.selection.to_read
    known = tracker.studies.views_known(claimed.study_uid)
    # Where images of two patients came as one study, nobody knows whose history it is.
    headers = () if material.is_mixed else material.headers.values()
    recorded = from_entries(tracker.treatments.of_study(claimed.study_uid))
    said = read_history(headers)
    days = {m.study_date for m in to_read}
    removed = mastectomy_sides(said, max((day for day in days if day), default=None))
    views = {(m.laterality.letter, m.view.name) for m in to_read if m.laterality and m.view}
    return Circumstances(
        revision=claimed.number,
        cause=claimed.cause.value,
        missing=missing_slots(views, known.priors, known.mastectomy_sides | removed),
        priors=as_known(material, priors),
        no_priors=priors.reason,
        treatments=() if material.is_mixed else (*recorded, *said),
        invalid=material.invalid,
        is_withdrawn=material.is_withdrawn,
    )
