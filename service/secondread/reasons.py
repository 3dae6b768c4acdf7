"""Every coded reason for what the node did not read, read with doubt, or left out.

A reason is stored with a study, an image or a refusal, printed in reports and captures, and
counted by its code; the codes are a contract, the sentences are not.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A coded reason; `sentence` explains it to a person."""

    # The instance is outside what the detector was made for. Never makes a study partial.
    TOMOSYNTHESIS = "tomosynthesis"
    SYNTHESIZED_2D = "synthesized-2d"
    SPECIMEN = "specimen"
    MAGNIFICATION = "magnification"
    SPOT_COMPRESSION = "spot-compression"
    TANGENTIAL = "tangential"
    CONTRAST_ENHANCED = "contrast-enhanced"
    STEREOTACTIC = "stereotactic"
    SCREEN_CAPTURE = "screen-capture"
    BOTH_BREASTS = "both-breasts"
    NOT_MAMMOGRAPHY = "not-mammography"
    PAIRED_PROCESSING = "paired-for-processing"
    REJECTED = "rejected-by-note"
    SUPERSEDED = "superseded"
    OTHER_PATIENT = "image-of-another-patient"
    CHANGE_NOT_PERMITTED = "change-not-permitted"
    PRIOR_UNASKED = "prior-not-asked-for"

    # The image is in scope, and cannot be read.
    LATERALITY_MISSING = "laterality-missing"
    LATERALITY_CONTRADICTORY = "laterality-contradictory"
    VIEW_MISSING = "view-missing"
    VIEW_CONTRADICTORY = "view-contradictory"
    SPACING_MISSING = "pixel-spacing-missing"
    SPACING_TOO_COARSE = "pixel-spacing-too-coarse"
    LOSSY_COMPRESSION = "lossy-compression"
    IMPLANT = "implant"
    FEW_BITS = "too-few-bits"
    HEADER_INVALID = "header-invalid"
    PATIENT_MISMATCH = "patient-mismatch"
    PIXELS_UNREADABLE = "pixels-unreadable"
    BREAST_NOT_FOUND = "breast-not-found"
    BREAST_AREA = "breast-area-implausible"
    SATURATED = "saturated"
    POLARITY = "polarity-inconsistent"
    FEW_LEVELS = "too-few-grey-levels"
    BREAST_CUT_OFF = "breast-cut-off"
    UNLIKE_TRAINING = "unlike-training"
    TOO_MANY_MARKS = "too-many-marks"
    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    DETECTOR_DIED = "detector-died"

    # The image was read, and this lowers the trust in it. The three before these do so too, where
    # they are less pronounced.
    EIGHT_BITS = "eight-bits"
    NINE_BITS = "nine-bits"
    GATE_OVERRIDDEN = "gate-overridden"
    PARTIAL_VIEW = "partial-view"
    SPACING_NOMINAL = "pixel-spacing-not-at-detector"
    SPACING_FINE = "pixel-spacing-unusually-fine"
    SATURATED_AREA = "saturated-area"

    # The image was read, and this is merely remarked; it says nothing against its findings.
    IMAGE_EXPIRED = "image-expired"
    DISPLAY_BY_RANGE = "display-by-range"

    # The study as a whole.
    NOTHING_IN_SCOPE = "nothing-in-scope"
    ALL_REJECTED = "all-images-rejected"
    ALL_IMAGES_REFUSED = "all-images-refused"
    SOME_IMAGES_REFUSED = "some-images-refused"
    SOME_IMAGES_DOUBTFUL = "some-images-doubtful"
    VIEWS_MISSING = "views-missing"
    TREATMENT_UNKNOWN = "treatment-unknown"
    NO_COMPARISON = "no-comparison"
    READING_FAILED = "reading-failed"

    # Why a study is not compared with a prior.
    PRIORS_OFF = "prior-fetching-off"
    PRIORS_NOT_SEARCHABLE = "priors-not-searchable"
    PRIOR_NOT_FOUND = "prior-not-found"
    PRIOR_QUERY_FAILED = "prior-query-failed"
    PRIOR_MOVE_REFUSED = "prior-move-refused"
    PRIOR_NOT_RECEIVED = "prior-not-received"
    PRIOR_TIMED_OUT = "prior-timed-out"
    PRIOR_FOREIGN = "prior-of-another-patient"
    PRIOR_OUT_OF_SCOPE = "prior-out-of-scope"
    PRIOR_FILES_LOST = "prior-files-lost"
    PRIOR_EXPIRED = "prior-images-expired"
    PRIOR_NOT_COMPARABLE = "prior-not-comparable"

    # Whose images they are.
    IDENTITY_IN_DOUBT = "identity-in-doubt"
    SURNAME_DIFFERS = "surname-differs"
    NAME_DIFFERS = "name-differs"
    PATIENT_ID_FROM_OTHERS = "patient-id-from-other-images"
    STUDY_DATE_FROM_OTHERS = "study-date-from-other-images"

    # The intake rule.
    FETCHED_AS_PRIOR = "fetched-as-prior"
    PRIOR_ONLY_BY_AGE = "prior-only-by-age"
    PRIOR_ONLY_BY_PEER = "prior-only-by-peer"
    IGNORED_BY_PEER = "ignored-by-peer"
    NOT_TREATED = "treatment-status-excluded"

    # Why a peer was refused something.
    CALLING_AE_UNKNOWN = "calling-ae-unknown"
    ADDRESS_UNEXPECTED = "address-unexpected"
    CALLED_AE_UNKNOWN = "called-ae-unknown"
    TOO_MANY_ASSOCIATIONS = "too-many-associations"
    SOP_CLASS_REFUSED = "sop-class-refused"
    TRANSFER_SYNTAX_REFUSED = "transfer-syntax-refused"
    STORAGE_FULL = "storage-full"
    DATA_SET_INVALID = "data-set-invalid"
    ASSOCIATION_BROKEN = "association-broken"
    REQUEST_INVALID = "association-request-invalid"
    TLS_FAILED = "tls-handshake-failed"

    @property
    def sentence(self) -> str:
        """The reason as a sentence fragment for people, ASCII only."""
        return _SENTENCES[self]

    @property
    def is_remark(self) -> bool:
        """Whether it raises no doubt about an image that was read."""
        return self in {Reason.IMAGE_EXPIRED, Reason.DISPLAY_BY_RANGE}


_SENTENCES: dict[Reason, str] = {
    Reason.TOMOSYNTHESIS: "tomosynthesis is outside the detector's scope",
    Reason.SYNTHESIZED_2D: "synthesised 2-D images are outside the detector's scope",
    Reason.SPECIMEN: "specimen radiographs are outside the detector's scope",
    Reason.MAGNIFICATION: "magnification views are outside the detector's scope",
    Reason.SPOT_COMPRESSION: "spot compression views are outside the detector's scope",
    Reason.TANGENTIAL: "tangential views are outside the detector's scope",
    Reason.CONTRAST_ENHANCED: "contrast mammography is outside the detector's scope",
    Reason.STEREOTACTIC: "stereotactic images of a biopsy are outside the detector's scope",
    Reason.SCREEN_CAPTURE: "screen captures are outside the detector's scope",
    Reason.BOTH_BREASTS: "images of both breasts at once are outside the detector's scope",
    Reason.NOT_MAMMOGRAPHY: "not a digital mammography image",
    Reason.PAIRED_PROCESSING: "the For Presentation image of the same exposure is read instead",
    Reason.REJECTED: "rejected by a rejection note of the sender",
    Reason.SUPERSEDED: "another version of the same instance arrived later",
    Reason.OTHER_PATIENT: "of another patient than the other images of the study, set aside",
    Reason.CHANGE_NOT_PERMITTED: "its sender may not replace the image that was there",
    Reason.PRIOR_UNASKED: "an archive sent it as a prior that it was not asked for",
    Reason.LATERALITY_MISSING: "the header does not say which breast it is",
    Reason.LATERALITY_CONTRADICTORY: "the header contradicts itself on which breast it is",
    Reason.VIEW_CONTRADICTORY: "the header contradicts itself on which view it is",
    Reason.VIEW_MISSING: "the header does not say which view it is",
    Reason.SPACING_MISSING: "the header has no pixel spacing",
    Reason.SPACING_TOO_COARSE: "the pixel spacing is too coarse for calcifications",
    Reason.LOSSY_COMPRESSION: "lossy compressed, not analysed",
    Reason.IMPLANT: "an implant is present in a view that does not displace it",
    Reason.FEW_BITS: "fewer than 8 bits are stored",
    Reason.HEADER_INVALID: "the header is not valid",
    Reason.PATIENT_MISMATCH: "images of another patient were set aside",
    Reason.PIXELS_UNREADABLE: "the pixel data could not be decoded",
    Reason.BREAST_NOT_FOUND: "no breast was found in the image",
    Reason.BREAST_AREA: "the breast area found is implausible",
    Reason.SATURATED: "too much of the tissue is saturated",
    Reason.POLARITY: "the grey scale contradicts the header",
    Reason.FEW_LEVELS: "fewer grey levels are used than calcifications need",
    Reason.BREAST_CUT_OFF: "the breast is cut off in front",
    Reason.UNLIKE_TRAINING: "unlike the images that the detector was made for",
    Reason.TOO_MANY_MARKS: "so many marks that noise or an artefact is likely",
    Reason.TIME_LIMIT: "reading took longer than its limit",
    Reason.MEMORY_LIMIT: "reading needed more memory than its limit",
    Reason.DETECTOR_DIED: "the detector died on this image",
    Reason.EIGHT_BITS: "only 8 bits are stored",
    Reason.NINE_BITS: "only 9 bits are stored",
    Reason.GATE_OVERRIDDEN: "read although a gate refused it, by request",
    Reason.PARTIAL_VIEW: "a partial view",
    Reason.IMAGE_EXPIRED: "the sender's retention of the image has expired since it was read",
    Reason.DISPLAY_BY_RANGE: "shown by the range of its values, since its window makes no sense",
    Reason.SPACING_NOMINAL: "the pixel spacing is not given at the detector plane",
    Reason.SPACING_FINE: "the pixel spacing is finer than that of any usual detector",
    Reason.SATURATED_AREA: "a saturated area (implant, device or overexposure) shows nothing",
    Reason.NOTHING_IN_SCOPE: "no image of the study is in the detector's scope",
    Reason.ALL_REJECTED: "every image was withdrawn by a rejection note of the sender",
    Reason.ALL_IMAGES_REFUSED: "no image of the study could be read",
    Reason.SOME_IMAGES_REFUSED: "some images of the study could not be read",
    Reason.SOME_IMAGES_DOUBTFUL: "some images were read with doubts",
    Reason.VIEWS_MISSING: "expected views are missing",
    Reason.TREATMENT_UNKNOWN: "treatment unknown",
    Reason.NO_COMPARISON: "no comparison with a prior",
    Reason.READING_FAILED: "the reading failed",
    Reason.PRIORS_OFF: "no archive is asked for priors",
    Reason.PRIORS_NOT_SEARCHABLE: "without patient ID and study date no prior can be looked for",
    Reason.PRIOR_NOT_FOUND: "no prior that fits was found",
    Reason.PRIOR_QUERY_FAILED: "the archive could not be asked for priors",
    Reason.PRIOR_MOVE_REFUSED: "the archive refused to send the prior",
    Reason.PRIOR_NOT_RECEIVED: "the archive did not send the prior",
    Reason.PRIOR_TIMED_OUT: "the prior did not come in time",
    Reason.PRIOR_FOREIGN: "what came as a prior names another patient, or another issuer of the ID",
    Reason.PRIOR_OUT_OF_SCOPE: "the prior has no image of these views in the detector's scope",
    Reason.PRIOR_FILES_LOST: "the files of the prior cannot be read",
    Reason.PRIOR_EXPIRED: "the retention of the prior's images has expired",
    Reason.PRIOR_NOT_COMPARABLE: "the prior's images cannot be compared with these",
    Reason.IDENTITY_IN_DOUBT: "identity in doubt: same patient ID, another birth date or name",
    Reason.SURNAME_DIFFERS: "the prior's surname is another; patient ID and birth date agree",
    Reason.NAME_DIFFERS: "part of the prior's name differs; ID and birth date agree",
    Reason.PATIENT_ID_FROM_OTHERS: (
        "an image's missing patient ID was taken from the study's others"
    ),
    Reason.STUDY_DATE_FROM_OTHERS: (
        "an image's missing study date was taken from the study's others"
    ),
    Reason.FETCHED_AS_PRIOR: "this node asked for it as a prior: it is kept and not read",
    Reason.PRIOR_ONLY_BY_AGE: "older than the intake rule's limit: kept as a prior",
    Reason.PRIOR_ONLY_BY_PEER: "this peer's studies are kept as priors",
    Reason.IGNORED_BY_PEER: "this peer's studies are not read",
    Reason.NOT_TREATED: "the treatment status is outside the intake rule",
    Reason.CALLING_AE_UNKNOWN: "the calling AE title is not in the settings",
    Reason.ADDRESS_UNEXPECTED: "the AE title is known, but not from this address",
    Reason.CALLED_AE_UNKNOWN: "the called AE title is not this node's",
    Reason.TOO_MANY_ASSOCIATIONS: "all associations are in use",
    Reason.SOP_CLASS_REFUSED: "the SOP class is not accepted",
    Reason.TRANSFER_SYNTAX_REFUSED: "none of the proposed transfer syntaxes is accepted",
    Reason.STORAGE_FULL: "the disk is nearly full",
    Reason.DATA_SET_INVALID: "the data set could not be read",
    Reason.ASSOCIATION_BROKEN: "the association ended in the middle of an instance",
    Reason.REQUEST_INVALID: "no request for an association, or one beyond the limits",
    Reason.TLS_FAILED: "no TLS connection could be agreed on",
}


class Outcome(StrEnum):
    """What a reading ended in; every study in scope ends in exactly one of them."""

    FINDINGS = "findings"
    NO_FINDINGS = "no-findings"
    PARTIAL = "partial"
    FAILED = "failed"
    NOT_ELIGIBLE = "not-eligible"


class ImageStatus(StrEnum):
    """What became of one image."""

    READ = "read"
    FLAGGED = "flagged"
    REFUSED = "refused"
    FAILED = "failed"

    @property
    def was_read(self) -> bool:
        """Whether the detector's answer about this image counts."""
        return self in {ImageStatus.READ, ImageStatus.FLAGGED}
