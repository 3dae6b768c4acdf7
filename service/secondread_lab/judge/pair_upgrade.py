"""Simulated priors that an older model has read: their report and the stored answers.

Both are encoded as the node stores them and read back as it does where the images of a prior are
not available. The node does not compare with them, since the report has another model's digest; a
comparison all the same shows what that rule prevents.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from secondread.detect.marks import Detection
from secondread.findings.changes import PRIOR_REPORT, StudyComparison
from secondread.findings.finding import StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.reading import Reader, read_from_report
from secondread.report.readback.cad_reader import read_cad_report
from secondread.report.result import Authorship, NodeIdentity, Occasion
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.uids import ResultUids
from secondread.settings import ProfileSettings
from secondread_lab.judge.pairs import PairViews, get_dataset, read_exam

_NODE = NodeIdentity("Secondread project", "Secondread", "0", "2.25.1", "BENCHMARK", "")
_WRITTEN = Occasion(datetime(2025, 6, 1, tzinfo=UTC), predecessor=None)


def restore_prior(
    pair: PairViews, answers: Mapping[str, Detection], reader: Reader
) -> StudyReading:
    """Return the reading of a pair's prior from its report and the stored answers.

    Parameters
    ----------
    pair
        The pair.
    answers
        Of the older model's detector about the prior's views, by SOP Instance UID.
    reader
        Of the older model.
    """
    reading = read_exam(pair, "prior", answers, reader)
    sources = {
        str(get_dataset(v).SOPInstanceUID): get_dataset(v) for v in pair.select_exam("prior")
    }
    uids = ResultUids("benchmark", reading.study_uid, 1, "benchmark")
    written = build_cad_sr(reading, sources, Authorship(_NODE, uids, _WRITTEN, ProfileSettings()))
    report = read_cad_report(written.dataset, _NODE.device_uid)
    stored_answers = {
        uid: _store_answer(answer) for uid, answer in answers.items() if answer.status.was_read
    }
    return read_from_report(report, stored_answers, reader)


def _store_answer(answer: Detection) -> Detection:
    return Detection.from_json(json.loads(json.dumps(answer.as_json())))


def compare_by_rule(current: StudyReading, stored: StudyReading) -> StudyComparison:
    """Return the node's comparison of a study with another model's findings in its prior.

    Without the prior's images there are no pixels for a recheck.
    """
    return compare_with_priors(current, [stored], basis=PRIOR_REPORT)[0]


def compare_against_rule(current: StudyReading, stored: StudyReading) -> StudyComparison:
    """Return the comparison as if another model's findings were the current model's."""
    return compare_by_rule(current, replace(stored, model=current.model))
