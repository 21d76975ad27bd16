"""What browsers call a codec (RFC 6381), read from the header of an MP4."""

from __future__ import annotations

_BOX = b"avcC"


def codec_name(init: bytes) -> str:
    """The name of the H.264 in an initialisation segment, e.g. ``avc1.64001f``.

    The box ``avcC`` holds a version, then profile, constraints and level (ISO/IEC 14496-15, 5.3.3.1).

    Raises:
        ValueError: there is no such box.
    """
    start = init.find(_BOX)
    record = init[start + len(_BOX) :][:4]
    if start < 0 or len(record) < 4 or record[0] != 1:
        raise ValueError("the stream does not say its profile")
    return f"avc1.{record[1:].hex()}"
