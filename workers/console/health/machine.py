"""Processor, memory, GPU and disk of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics processor.

    Attributes:
        name: Its maker's.
        used_bytes: Of its memory.
        total_bytes: Of its memory.
    """

    name: str
    used_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine does.

    Attributes:
        processors: That this process may use.
        load: Processes that ran or waited to, on average over the last minute.
        own_bytes: Memory of this process.
        available_bytes: Memory that is left; ``None`` where the system does not say.
        total_bytes: Memory; likewise.
        gpus: Only those that this process uses.
        disk_free_bytes: Where the data folder lies.
        disk_total_bytes: Likewise.
    """

    processors: int
    load: float
    own_bytes: int | None
    available_bytes: int | None
    total_bytes: int | None
    gpus: tuple[Gpu, ...]
    disk_free_bytes: int
    disk_total_bytes: int


def look(data: Path) -> Machine:
    """How it is now. Raises ``OSError`` where the disk of `data` cannot be measured."""
    there = next(path for path in (data, *data.absolute().parents) if path.exists())
    disk, memory = shutil.disk_usage(there), _memory()
    return Machine(
        processors=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
        own_bytes=_own_bytes(),
        available_bytes=memory.get("MemAvailable"),
        total_bytes=memory.get("MemTotal"),
        gpus=_gpus(),
        disk_free_bytes=disk.free,
        disk_total_bytes=disk.total,
    )


def _memory() -> dict[str, int]:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines)
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields if len(words) == 3}


def _own_bytes() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return None


def _gpus() -> tuple[Gpu, ...]:
    """Asked only where torch is there already: loading it for a page would take seconds and memory."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if torch is None or cuda is None or not cuda.is_available() or not cuda.is_initialized():
        return ()
    found = []
    for number in range(cuda.device_count()):
        free, total = cuda.mem_get_info(number)
        found.append(Gpu(str(cuda.get_device_name(number)), int(total - free), int(total)))
    return tuple(found)
