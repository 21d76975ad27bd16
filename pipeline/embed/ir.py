"""Reads an OpenVINO IR (version 11) of a small convolutional network into torch.

So that a network published as IR gets what the others have: exact gradients for an attacker who
differentiates through the defence, CUDA, and one graph together with its purifier. Only the layer
types that such networks use are known; anything else is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET  # the file's checksum has been verified before it gets here

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipeline.errors import ModelFormatError

_ELEMENT_TYPES = {"f32": np.float32, "f16": np.float16}

Attributes = Mapping[str, str]
Operation = Callable[..., torch.Tensor]


@dataclass(frozen=True, slots=True)
class _Step:
    """One layer: `operation` applied to the values of `inputs` gives the value of `layer`."""

    layer: int
    operation: Operation
    inputs: tuple[int, ...]


class IrNetwork(nn.Module):
    """A network with one input and one output, as its IR describes it. Weights are float32 buffers.

    Args:
        xml: The topology; its weights are in `weights`.
        weights: The ``.bin`` file.

    Raises:
        ModelFormatError: not an IR, or a layer of a type, padding or element type that is not known.
    """

    def __init__(self, xml: Path, weights: Path) -> None:
        super().__init__()
        try:
            root = ET.parse(xml).getroot()  # noqa: S314
            self._build(root, weights.read_bytes())
        except (ET.ParseError, KeyError, ValueError, AttributeError, OSError) as error:
            raise ModelFormatError(f"{xml} with {weights.name} is not an OpenVINO IR: {error!r}") from error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {self._input: x}
        for step in self._steps:
            values[step.layer] = step.operation(*(self._value(values, n) for n in step.inputs))
        return values[self._output]

    def _value(self, values: Mapping[int, torch.Tensor], layer: int) -> torch.Tensor:
        return values[layer] if layer in values else self.get_buffer(f"constant_{layer}")

    def _build(self, root: ET.Element, blob: bytes) -> None:
        sources = _sources(root)
        constants: dict[int, torch.Tensor] = {}
        steps: list[_Step] = []
        self._input = self._output = -1
        for layer in root.iterfind("./layers/layer"):
            number, kind = int(layer.attrib["id"]), layer.attrib["type"]
            inputs = sources.get(number, ())
            if kind == "Parameter":
                self._input = number
            elif kind == "Const":
                constants[number] = _constant(_attributes(layer), blob)
            elif kind == "Convert" and inputs[0] in constants:
                constants[number] = constants[inputs[0]]
            elif kind == "Result":
                self._output = inputs[0]
            else:
                steps.append(_Step(number, _operation(kind, _attributes(layer)), inputs))
        if not steps or min(self._input, self._output) < 0:
            raise ValueError("no input, no output or no layers")
        self._steps = tuple(steps)
        for number in {n for step in steps for n in step.inputs if n in constants}:
            self.register_buffer(f"constant_{number}", constants[number])


def _attributes(layer: ET.Element) -> Attributes:
    data = layer.find("data")
    return {} if data is None else data.attrib


def _sources(root: ET.Element) -> dict[int, tuple[int, ...]]:
    """Layer number -> the layers that feed its inputs, in the order of its ports."""
    ports: dict[int, list[tuple[int, int]]] = {}
    for edge in root.iterfind("./edges/edge"):
        port = (int(edge.attrib["to-port"]), int(edge.attrib["from-layer"]))
        ports.setdefault(int(edge.attrib["to-layer"]), []).append(port)
    return {layer: tuple(source for _, source in sorted(feeding)) for layer, feeding in ports.items()}


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())


def _constant(attributes: Attributes, blob: bytes) -> torch.Tensor:
    element = attributes["element_type"]
    if element not in _ELEMENT_TYPES:
        raise ModelFormatError(f"constants of element type {element} are not known to this reader")
    begin, size = int(attributes["offset"]), int(attributes["size"])
    values = np.frombuffer(blob[begin : begin + size], _ELEMENT_TYPES[element])
    return torch.from_numpy(values.astype(np.float32).reshape(_integers(attributes["shape"])))


def _operation(kind: str, attributes: Attributes) -> Operation:
    simple: dict[str, Operation] = {
        "Add": torch.add,
        "Multiply": torch.mul,
        "Sigmoid": torch.sigmoid,
        "PReLU": lambda x, slope: functional.prelu(x, slope.flatten()),
    }
    if kind in simple:
        return simple[kind]
    if kind == "AvgPool":
        return _average_pool(attributes)
    if kind in ("Convolution", "GroupConvolution"):
        return _convolution(attributes, grouped=kind == "GroupConvolution")
    raise ModelFormatError(f"layers of type {kind} are not known to this reader")


def _padding(attributes: Attributes) -> tuple[int, ...]:
    begin, end = _integers(attributes["pads_begin"]), _integers(attributes["pads_end"])
    if begin != end or attributes["auto_pad"] not in ("explicit", "valid"):
        raise ModelFormatError("uneven or automatic padding is not known to this reader")
    return begin


def _convolution(attributes: Attributes, *, grouped: bool) -> Operation:
    padding = _padding(attributes)
    strides, dilations = _integers(attributes["strides"]), _integers(attributes["dilations"])

    def convolve(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        # IR keeps the groups as a dimension of their own: (groups, out, in, h, w)
        groups = weight.shape[0] if grouped else 1
        flat = weight.flatten(0, 1) if grouped else weight
        return functional.conv2d(x, flat, None, strides, padding, dilations, groups)

    return convolve


def _average_pool(attributes: Attributes) -> Operation:
    kernel, strides = _integers(attributes["kernel"]), _integers(attributes["strides"])
    if any(_padding(attributes)):
        raise ModelFormatError("padded average pooling is not known to this reader")
    return lambda x: functional.avg_pool2d(x, _pair(kernel), _pair(strides))


def _pair(values: Sequence[int]) -> tuple[int, int]:
    height, width = values
    return height, width
