"""How one study is shown on the command line: what a person asks first comes first."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from secondread.assemble.patient_key import PatientKey
from secondread.cli.options import print_json
from secondread.cli.patient_argument import format_patient
from secondread.cli.study_list import make_study_document
from secondread.reasons import Reason
from secondread.track.states import DeliveryState
from secondread.track.study_lookup import ComparedPrior, Comparison
from secondread.track.summaries import DeliverySummary, ImageSummary, StudyDetail
from secondread.watch.study_page import FindingLine, StudyPage, arrange_study
from secondread.watch.words import format_duration, format_instant, get_word, name_uid

_MOST_CHANGES = 100


def print_study(
    detail: StudyDetail,
    comparison: Comparison,
    patients: Mapping[str, PatientKey] | None,
    *,
    as_json: bool,
) -> None:
    """Print everything about a study.

    Parameters
    ----------
    detail, comparison
        What is printed.
    patients
        The study's patient by its UID; None where that is not to be shown.
    as_json
        Whether a program reads it.
    """
    if as_json:
        print_json(_as_document(detail, comparison, patients))
        return
    console = Console(highlight=False)
    page = arrange_study(detail)
    # Long lines of words are wrapped; a UID is there to be copied, and is not.
    console.print(f"[bold]study[/]  {detail.summary.study_uid}", soft_wrap=True)
    console.print(_tabulate_facts(page, patients))
    for title, content in _list_sections(page, comparison):
        console.print()
        console.print(f"[bold]{title}[/]")
        console.print(content)


def _as_document(
    detail: StudyDetail, comparison: Comparison, patients: Mapping[str, PatientKey] | None
) -> dict[str, object]:
    study = make_study_document(detail.summary, patients)
    document = asdict(detail)
    del document["summary"]
    return {"study": study, **document, "comparison": asdict(comparison)}


def _tabulate_facts(page: StudyPage, patients: Mapping[str, PatientKey] | None) -> Table:
    study = page.detail.summary
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    state = get_word(study.state)
    if study.hold_reason:
        state += f": {study.hold_reason.sentence} ({study.hold_reason.value})"
    table.add_row("state", state)
    if study.outcome:
        table.add_row("outcome", f"{get_word(study.outcome)}, {study.shown_findings} shown")
    table.add_row("date", str(study.study_date or "unknown"))
    if patients is not None:
        patient = patients.get(study.study_uid)
        table.add_row("patient", "unknown" if patient is None else escape(format_patient(patient)))
    table.add_row("from", f"{escape(study.peer)}, {study.images} images")
    table.add_row("arrived", _describe_span(study.first_arrived_at, study.last_arrived_at))
    if study.reported_at:
        seconds = page.seconds_to_result
        after = "" if seconds is None else f", {format_duration(seconds)} after the last image"
        table.add_row("result", f"{format_instant(study.reported_at)} UTC{after}")
    if study.due_at:
        table.add_row("due", f"{format_instant(study.due_at)} UTC")
    return table


def _describe_span(first: datetime, last: datetime) -> str:
    end = "" if last == first else f" to {format_instant(last)}"
    return f"{format_instant(first)}{end} UTC"


def _list_sections(page: StudyPage, comparison: Comparison) -> Iterator[tuple[str, RenderableType]]:
    detail = page.detail
    if page.shown or detail.summary.outcome:
        below = f", {len(page.below)} below the operating point" if page.below else ""
        yield f"marks: {len(page.shown)} shown{below}", _tabulate_findings(page.shown)
    if comparison.priors or comparison.reason:
        yield "compared with", _tabulate_comparison(comparison)
    if detail.fetch_requests:
        yield "priors asked for", _tabulate_requests(detail)
    if page.destinations:
        yield f"results of revision {page.current_revision}", _tabulate_deliveries(page)
    yield "images", _tabulate_images(detail)
    yield "revisions", _tabulate_revisions(detail)
    if detail.other_objects:
        yield "other objects", _tabulate_others(detail)
    if detail.refused_changes:
        yield "changes that were not permitted", _tabulate_refused_changes(detail)


def _make_table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _tabulate_findings(findings: tuple[FindingLine, ...]) -> RenderableType:
    if not findings:
        return "none"
    table = _make_table("priority", "certainty", "")
    for finding in findings:
        words = finding.line or f"{finding.label} {finding.kind} {finding.change}"
        priority = "-" if finding.priority is None else f"{finding.priority:.0f}"
        table.add_row(priority, finding.certainty, escape(words))
    return table


def _tabulate_comparison(comparison: Comparison) -> RenderableType:
    if not comparison.priors:
        return comparison.reason.sentence if comparison.reason else "nothing"
    table = _make_table("date")
    table.add_column("", no_wrap=True, overflow="ignore")
    for prior in comparison.priors:
        table.add_row(str(prior.study_date or "unknown"), _describe_prior(prior))
    return table


def _describe_prior(prior: ComparedPrior) -> str:
    why = "" if prior.reason is None else f"\nnot compared: {prior.reason.sentence}"
    return f"{prior.study_uid}{why}"


def _tabulate_requests(detail: StudyDetail) -> Table:
    table = _make_table("archive", "asked for", "state", "images", "why")
    for request in detail.fetch_requests:
        what = "its list" if not request.prior_study_uid else str(request.prior_study_date)
        why = request.detail or (request.reason.sentence if request.reason else "")
        table.add_row(
            request.source, what, get_word(request.state), str(request.images), escape(why)
        )
    return table


def _tabulate_deliveries(page: StudyPage) -> Table:
    table = _make_table("to", "object", "state", "tries", "proof, or why not")
    for destination in page.destinations:
        for line, delivery in destination.rows:
            why = _describe_proof(delivery) or escape(delivery.last_error or "")
            state = delivery.state
            words = get_word(state) if state is DeliveryState.DUPLICATE else state.value
            table.add_row(destination.name, line.name, words, str(delivery.attempts), why)
    return table


def _describe_proof(delivery: DeliverySummary) -> str:
    """Return what proved the delivery and when, or how long the proof is waited for."""
    if delivery.proof is not None and delivery.delivered_at is not None:
        return f"{delivery.proof.value} {delivery.delivered_at:%Y-%m-%d %H:%M}"
    if delivery.state is DeliveryState.STORED:
        return f"asked {delivery.proof_asked} times, again {format_instant(delivery.due_at)}"
    return ""


def _tabulate_images(detail: StudyDetail) -> Table:
    table = _make_table("view", "status", "seconds", "reasons")
    for image in detail.images:
        reasons = image.reasons or _explain_unread(image)
        words = [reason.value for reason in reasons] + ([image.detail] if image.detail else [])
        table.add_row(
            image.label,
            get_word(image.status) if image.status else "left out",
            f"{image.seconds:.1f}" if image.seconds else "-",
            escape(", ".join(words)),
        )
    return table


def _explain_unread(image: ImageSummary) -> tuple[Reason, ...]:
    """Return why an image takes no part in the reading, as far as that is known before it."""
    is_of_other = image.set_aside and image.current
    why_not = image.withheld or (Reason.OTHER_PATIENT if is_of_other else image.scope_reason)
    return () if why_not is None else (why_not,)


def _tabulate_revisions(detail: StudyDetail) -> Table:
    table = _make_table("number", "cause", "state", "outcome", "finished (UTC)", "reasons")
    for revision in detail.revisions:
        words = [reason.value for reason in revision.reasons]
        if revision.predecessor:
            words.insert(0, f"replaces {revision.predecessor}")
        table.add_row(
            str(revision.number),
            revision.cause.value,
            get_word(revision.state),
            revision.outcome.value if revision.outcome else "-",
            format_instant(revision.finished_at) or "-",
            escape(", ".join(words + ([revision.error] if revision.error else []))),
        )
    return table


def _tabulate_others(detail: StudyDetail) -> Table:
    table = _make_table("object", "use", "from", "came (UTC)")
    for other in detail.other_objects:
        table.add_row(
            escape(name_uid(other.sop_class_uid)),
            other.disposition.value + (", altered" if other.is_altered else ""),
            escape(other.peer),
            format_instant(other.arrived_at),
        )
    return table


def _tabulate_refused_changes(detail: StudyDetail) -> Table:
    table = _make_table("change", "peer", "when (UTC)")
    for change in detail.refused_changes[:_MOST_CHANGES]:
        who = f"{escape(change.peer)} ({escape(change.address)})"
        table.add_row(change.change.value, who, format_instant(change.at))
        # The image on a line of its own, for it is there to be copied.
        table.add_row("", escape(change.sop_instance_uid), "")
    return table
