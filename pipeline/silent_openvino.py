"""OpenVINO without its telemetry.

The package `openvino` depends on `openvino-telemetry`, which tells Google Analytics of every import and every
converted network unless a file in the user's home says otherwise. It does so from forked processes, which can
wait for a lock that nobody will release: the program then never ends. A program that watches people has
nothing to tell anybody, so the telemetry is made unimportable, and OpenVINO uses the stub it has for that.
"""

from __future__ import annotations

import sys
from typing import Any

_TELEMETRY = "openvino_telemetry"


def load_openvino() -> Any:
    """The module ``openvino``; the only way in which it may be imported here."""
    sys.modules.setdefault(_TELEMETRY, None)  # type: ignore[arg-type]  # as the import system has it
    import openvino

    return openvino
