"""Reads the parameters of a network that dlib serialised, without dlib and without running anything.

A file holds the layers from input to output, each with the name of its kind, numbers, and tensors. Numbers
are a byte with the count of bytes and the sign, then the bytes; names are a number and so many characters;
tensors are a version, four numbers and float32 values (dlib 19 and 20, ``serialize.h``, ``cuda/tensor.h``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import ModelFormatError
from pipeline.types import FloatArray

_TENSOR_VERSION = 2
_NEGATIVE = 0x80
_MAX_NUMBER_BYTES = 8
# Kinds of layers with parameters, with how many numbers lie between name and tensor. A name is preceded by
# its length, so that values which look like one by chance are not taken for it.
_KINDS = {b"con_4": 0, b"affine_": 0, b"fc_2": 2}
_NAMES = re.compile(b"|".join(re.escape(b"\x01" + bytes([len(kind)]) + kind) for kind in _KINDS))


@dataclass(frozen=True, slots=True, eq=False)
class DlibLayer:
    """A layer's parameters.

    Attributes:
        kind: ``con_4``, ``affine_`` or ``fc_2``.
        values: float32, flat or, for ``fc_2``, (inputs, outputs).
    """

    kind: str
    values: FloatArray


def read_layers(path: Path) -> list[DlibLayer]:
    """The convolutions, affine and fully connected layers of a network, from input to output.

    Raises:
        ModelFormatError: the file cannot be read, or ends within a tensor.
    """
    try:
        return list(_layers(path.read_bytes()))
    except (OSError, ValueError, IndexError) as error:
        raise ModelFormatError(f"{path} is not a network that dlib serialised: {error}") from error


def _layers(data: bytes) -> Iterator[DlibLayer]:
    place = 0
    while found := _NAMES.search(data, place):
        kind = found.group()[2:]
        place = found.end()
        for _ in range(_KINDS[kind]):
            _, place = _number(data, place)
        values, place = _tensor(data, place)
        yield DlibLayer(kind.decode(), values)


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A whole number, and where the next thing begins."""
    count = data[place] & ~_NEGATIVE
    if count > _MAX_NUMBER_BYTES:
        raise ValueError(f"no number at byte {place}")
    end = place + 1 + count
    value = int.from_bytes(data[place + 1 : end], "little")
    return (-value if data[place] & _NEGATIVE else value), end


def _tensor(data: bytes, place: int) -> tuple[FloatArray, int]:
    """float32, flat, or of two dimensions where the file has several, and where the next thing begins."""
    numbers = []
    for _ in range(5):
        number, place = _number(data, place)
        numbers.append(number)
    version, samples, *rest = numbers
    size = int(np.prod([samples, *rest]))
    end = place + 4 * size
    if version != _TENSOR_VERSION or min(numbers) < 1 or end > len(data):
        raise ValueError(f"no tensor ends at byte {place}")
    values = np.frombuffer(data, "<f4", size, place).astype(np.float32)
    return (values if size in (samples, 1) else values.reshape(samples, -1)), end
