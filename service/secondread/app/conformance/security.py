"""Sections 6 and 7 of the statement: character sets, security."""

from typing import get_args

from secondread.accept.server import MINIMUM_TLS_VERSION
from secondread.app.conformance.markdown import format_heading, format_list, format_table
from secondread.settings import ProfileSettings, TlsSettings


def build_character_sets() -> list[str]:
    """Return section 6."""
    choices = get_args(ProfileSettings.model_fields["character_set"].annotation)
    return [
        format_heading(2, "6 Support of character sets"),
        "Images are accepted in any Specific Character Set. Results repeat patient and study "
        "attributes in the images' character set, byte by byte, or in UTF-8, as the profile says "
        f"(`character_set`: {', '.join(f'`{choice}`' for choice in choices)}). All text of the "
        "node's own is ASCII without backslash and tilde.",
    ]


def build_security() -> list[str]:
    """Return section 7."""
    rows = [
        (f"`{name}`", info.description or "") for name, info in TlsSettings.model_fields.items()
    ]
    version = MINIMUM_TLS_VERSION.name.replace("TLSv", "").replace("_", ".")
    return [
        format_heading(2, "7 Security"),
        format_list(
            [
                f"TLS {version} or newer, for the receiver and for each destination and source "
                "of priors by itself; a peer's certificate is asked for where `trusted` is set.",
                "Callers are on an allow-list of AE titles and addresses; unknown ones are "
                "refused by default, counted and shown.",
                "Log, metrics and URLs hold no patient's name, ID or birth date.",
            ]
        ),
        format_table(["TLS setting", "meaning"], rows),
        "User identity negotiation, digital signatures and audit messages (ATNA) are not "
        "supported.",
    ]
