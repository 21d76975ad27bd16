"""What the attacker is assumed to know and to be able to do. Every result carries one of these.

A figure of robustness means nothing without them: the threat model says what the attacker knows, the
goal what counts as success, the budget how far a crop may be changed.
"""

from __future__ import annotations

import enum


class ThreatModel(enum.StrEnum):
    """From accidents to an attacker who knows everything; a worst case pools all weaker models.

    "White-box" is only said of `ADAPTIVE`: an attacker who does not differentiate through the defence
    has not attacked it. Secrecy of the purifier is not robustness, so that `SURROGATE`, not
    `EMBEDDER`, is what is claimed.
    """

    CORRUPTION = "T0"
    """Nobody attacks: noise, blur, compression, light."""

    TRANSFER = "T1"
    """Knows other embedders, not ours."""

    EMBEDDER = "T2a"
    """Knows our embedder, exactly, and not that there is a purifier."""

    SURROGATE = "T2b"
    """Knows our embedder and that there is some purifier, and attacks through purifiers of their own."""

    QUERY = "T3"
    """Knows nothing, and may ask the defended recogniser; the budget of queries is stated."""

    ADAPTIVE = "T4"
    """Knows embedder and purifier, exactly, and differentiates through both."""

    PATCH = "T5"
    """Knows everything and may change one region of the face without bound. Undefended, and measured."""

    @property
    def describes(self) -> str:
        """One line for tables and plots."""
        return _DESCRIPTIONS[self]

    @property
    def includes(self) -> tuple[ThreatModel, ...]:
        """The weaker models whose examples this attacker could have used as well; itself is the last."""
        ordered = (
            ThreatModel.TRANSFER,
            ThreatModel.EMBEDDER,
            ThreatModel.SURROGATE,
            ThreatModel.ADAPTIVE,
        )
        if self not in ordered:
            return (self,)
        return ordered[: ordered.index(self) + 1]


_DESCRIPTIONS = {
    ThreatModel.CORRUPTION: "common corruptions",
    ThreatModel.TRANSFER: "transfer from other embedders",
    ThreatModel.EMBEDDER: "knows the embedder, not that there is a purifier",
    ThreatModel.SURROGATE: "knows the embedder, attacks through purifiers of their own",
    ThreatModel.QUERY: "queries only",
    ThreatModel.ADAPTIVE: "knows everything, gradient through the purifier",
    ThreatModel.PATCH: "local patch, unbounded",
}


class Goal(enum.StrEnum):
    """What the attacker wants of a crop."""

    DODGE = "dodge"
    """No longer to match one's own template (false non-match)."""

    IMPERSONATE = "impersonate"
    """To match the template of one chosen other person (false match)."""

    ANYONE = "anyone"
    """To match whoever of a gallery is easiest: 1:N false positive."""


VERIFICATION_GOALS = (Goal.DODGE, Goal.IMPERSONATE)
"""Those of 1:1, each with pairs of its own."""
