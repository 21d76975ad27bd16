"""One decision as a page that stands by itself: no script, no address, pictures inside."""

from __future__ import annotations

import base64
import datetime as dt
import html
from collections.abc import Mapping

from audit.case import Case
from audit.crops import png_of
from pipeline.types import FaceCrop, Sighting

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .2rem 1.5rem .2rem 0; }
tr { border-bottom: 1px solid #8884; }
th { font-weight: 600; }
figure { display: inline-block; margin: 0 1rem 1rem 0; }
img { width: 112px; height: 112px; image-rendering: pixelated; display: block; }
figcaption { font-size: .8rem; }
code { overflow-wrap: anywhere; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(case: Case, names: Mapping[str, str]) -> str:
    """HTML of the decision, complete.

    Args:
        case: The decision.
        names: Of subjects, by id.
    """
    decision = _text(case.entry.decision_id)
    parts = [f"<h1>Decision <code>{decision}</code></h1>"]
    if case.content is None:
        parts.append("<p>Its content was erased. That it was made, and when, is what remains.</p>")
    parts += [f"<h2>{_text(title)}</h2>{_table(rows)}" for title, rows in rows_of(case, names)]
    if case.content is not None:
        parts.append(_pictures(case))
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>Decision {decision[:12]}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def rows_of(case: Case, names: Mapping[str, str]) -> list[tuple[str, Mapping[str, str]]]:
    """Everything in words: titles, and under each names and values; empty values are to be left out."""
    found: list[tuple[str, Mapping[str, str]]] = [("In the ledger", _place(case))]
    if case.content is not None:
        found.append(("What was decided, and why", _decision(case.content.sighting, names)))
        near = {_who(subject_id, names): f"{value:.4f}" for subject_id, value in case.content.neighbours}
        found.append(("Nearest subjects", near or {"nobody": "is enrolled"}))
    found.append(("Made by", _made_by(case)))
    return found


def _place(case: Case) -> Mapping[str, str]:
    entry = case.entry
    return {
        "decision": entry.decision_id,
        "camera": entry.camera_id,
        "stream epoch, track": f"{entry.stream_epoch}, {entry.track_id} ({entry.revision})",
        "run": entry.run_id,
        "gallery epoch": str(entry.gallery_epoch),
        "chain": f"{case.record.chain}, record {case.record.number}",
        "recorded": utc(case.record.entry.at_ns),
        "content": "erased" if case.content is None else "",
        "recorded again": str(case.repeats) if case.repeats else "",
    }


def _decision(sighting: Sighting, names: Mapping[str, str]) -> Mapping[str, str]:
    seen = f"{sighting.first_seen_s:.2f} to {sighting.last_seen_s:.2f} s"
    if sighting.first_seen_at:
        seen += f", {sighting.first_seen_at} to {sighting.last_seen_at}"
    return {
        "outcome": sighting.outcome,
        "why": sighting.reason,
        "subject": _who(sighting.subject_id, names),
        "nearest subject": _who(sighting.candidate_id, names),
        "similarity": _number(sighting.similarity),
        "next subject": _number(sighting.runner_up),
        "margin": _number(sighting.margin),
        "threshold": f"{sighting.threshold:.4f} ({sighting.threshold_origin})",
        "votes": f"{sighting.votes:.2f}",
        "attack evidence": _number(sighting.attack_evidence),
        "seen": seen,
        "frames, crops": f"{sighting.frames}, {sighting.crops}",
        "dropped": ", ".join(f"{cause} {count}" for cause, count in sighting.dropped_by_cause.items()),
    }


def _made_by(case: Case) -> Mapping[str, str]:
    session = case.session
    return {
        "program": f"Pinwatch {session.get('program', '?')}, {session.get('activity', '?')}",
        **{str(kind): str(model) for kind, model in session.get("models", {}).items()},
        "numeric fingerprint": case.entry.fingerprint,
    }


def _pictures(case: Case) -> str:
    assert case.content is not None
    wanted, there = len(case.content.evidence), len(case.crops)
    lost = "" if wanted == there else f"<p>{wanted - there} of {wanted} crops are not there any more.</p>"
    return f"<h2>The crops it was made on</h2>{lost}" + "".join(_picture(crop) for crop in case.crops)


def _picture(crop: FaceCrop) -> str:
    data = base64.b64encode(png_of(crop.image_rgb)).decode()
    return (
        f'<figure><img alt="aligned face, crop {crop.sequence}" src="data:image/png;base64,{data}">'
        f"<figcaption>{crop.pts_ns / 1e9:.2f} s, quality {crop.quality:.2f}</figcaption></figure>"
    )


def _who(subject_id: str | None, names: Mapping[str, str]) -> str:
    if subject_id is None:
        return ""
    return f"{names[subject_id]} ({subject_id})" if subject_id in names else subject_id


def _table(rows: Mapping[str, str]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in rows.items()
        if value
    )
    return f"<table>{lines}</table>"


def _text(value: str) -> str:
    return html.escape(str(value))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def utc(time_ns: int) -> str:
    """A moment as people read it, ISO 8601."""
    return dt.datetime.fromtimestamp(time_ns / 1e9, dt.UTC).isoformat(timespec="milliseconds")
