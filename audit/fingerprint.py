"""What the numbers of a machine depend on: equal fingerprints compute the same bits."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

_LIBRARIES = ("numpy", "torch", "opencv-python", "openvino", "faiss-cpu", "faiss-gpu", "trackers", "av")
_CPU_INFO = Path("/proc/cpuinfo")


def numeric_fingerprint(settings: Mapping[str, object]) -> dict[str, object]:
    """Libraries, processor and precision of this process.

    Args:
        settings: What else numbers depend on: batch shape, threads, device, input sizes.
    """
    return {
        "python": platform.python_version(),
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name))},
        "machine": platform.machine(),
        "instructions": instruction_sets(),
        "precision": "float32",
        "settings": dict(settings),
    }


def digest_of(fingerprint: Mapping[str, object]) -> str:
    """16 hexadecimal digits that stand for a fingerprint."""
    text = json.dumps(fingerprint, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def instruction_sets() -> list[str]:
    """The vector instructions that libraries choose their kernels by."""
    try:
        lines = _CPU_INFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return [platform.processor() or "unknown"]
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    wanted = ("sse4", "avx", "fma", "amx", "neon", "asimd", "sve")
    return sorted(flag for flag in flags.partition(":")[2].split() if flag.startswith(wanted))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
