"""The settings of a saved camera.

Addresses hold credentials. They are in the database in full, since somebody has to log in with them,
and show redacted everywhere else: in text, in ``repr``, in JSON and in every error.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    ValidationError,
)

from pipeline.errors import ConfigError, UsageError
from pipeline.redact import Address, redact
from pipeline.region import Polygon, PrivacyMask, Region
from pipeline.sources.options import Transport
from pipeline.sources.select import StreamSpec, UsbSpec

if TYPE_CHECKING:
    from pipeline.sources.opening import CameraPlan

MAX_NAME = 64
REVEAL = {"reveal": True}
"""Serialisation context that writes addresses in full; for the database only."""


def check_name(name: str) -> str:
    """`name` if it can name a camera.

    Raises:
        ValueError: it is empty, too long, a mere number, or holds what names and keys cannot.
    """
    allowed = all(character.isalnum() or character in "_-. " for character in name)
    if not (0 < len(name) <= MAX_NAME and allowed and name[0].isalnum() and name == name.strip()):
        raise ValueError(
            f"a camera's name is 1 to {MAX_NAME} letters, digits, spaces, '.', '-' or '_', and starts with "
            "a letter or digit"
        )
    if name.isdecimal():
        raise ValueError("a mere number names a camera of this machine; add a letter")
    return name


def _parse_main(value: object) -> StreamSpec | UsbSpec:
    if isinstance(value, StreamSpec | UsbSpec):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1000:
        return UsbSpec(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 3:
        return UsbSpec(int(value))
    return _parse_stream(value)


def _parse_stream(value: object) -> StreamSpec:
    if isinstance(value, StreamSpec):
        return value
    if not isinstance(value, str):
        raise ValueError("must be an address such as rtsp://USER:PASSWORD@HOST/PATH")
    try:
        return StreamSpec(Address.parse(value))
    except UsageError as error:
        problem = str(error)
    raise ValueError(problem)


def _parse_polygon(value: object) -> Polygon:
    if isinstance(value, Polygon):
        return value
    try:
        return Polygon(tuple((float(x), float(y)) for x, y in value))  # type: ignore[attr-defined]
    except TypeError:
        problem = "must be a list of corners [x, y]"
    raise ValueError(problem)


def _serialize_spec(spec: StreamSpec | UsbSpec, info: SerializationInfo) -> str | int:
    match spec:
        case UsbSpec(index):
            return index
        case StreamSpec(address):
            return address.reveal() if info.context == REVEAL else str(address)


def _serialize_polygon(polygon: Polygon) -> list[list[float]]:
    return [list(point) for point in polygon.points]


_Polygon = Annotated[Polygon, PlainValidator(_parse_polygon), PlainSerializer(_serialize_polygon)]


class Camera(BaseModel):
    """One saved camera.

    Attributes:
        name: Names it everywhere; see :func:`check_name`.
        address: Network stream, or number of a camera of this machine.
        transport: How RTSP carries the pictures.
        substream: A smaller stream of the same camera: faces are found in it and cut from the main one.
        rate_limit_hz: Take at most this many frames a second.
        region_of_interest: Faces whose centre is outside are ignored; corners in shares of the picture.
        privacy_masks: Blacked out before anything else sees the picture.
        clock_offset_s: Added to the capture times; minus the camera's known delay.
        enabled: Whether it is watched when no source is named.
        purpose: Why people are filmed there; empty: as the settings say for all (`privacy.purpose`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, AfterValidator(check_name)]
    address: Annotated[StreamSpec | UsbSpec, PlainValidator(_parse_main), PlainSerializer(_serialize_spec)]
    transport: Transport = Transport.TCP
    substream: (
        Annotated[StreamSpec, PlainValidator(_parse_stream), PlainSerializer(_serialize_spec)] | None
    ) = None
    rate_limit_hz: float | None = Field(None, gt=0, le=1000)
    region_of_interest: _Polygon | None = None
    privacy_masks: tuple[_Polygon, ...] = ()
    clock_offset_s: float = Field(0.0, ge=-3600, le=3600)
    enabled: bool = True
    purpose: str = Field("", max_length=1000)

    @property
    def region(self) -> Region | None:
        """Where faces count; ``None`` is everywhere."""
        return None if self.region_of_interest is None else Region(self.region_of_interest)

    @property
    def mask(self) -> PrivacyMask | None:
        """What nobody may see."""
        return PrivacyMask(self.privacy_masks) if self.privacy_masks else None

    def plan(self) -> CameraPlan:
        """How to read it."""
        from pipeline.sources.opening import CameraPlan

        return CameraPlan(
            camera_id=self.name,
            main=self.address,
            substream=self.substream,
            transport=self.transport,
            rate_limit_hz=self.rate_limit_hz,
            clock_offset_s=self.clock_offset_s,
            mask=self.mask,
        )

    def shown(self) -> dict[str, Any]:
        """The settings for people and scripts: plain values, no credentials."""
        return self.model_dump(mode="json")


def make_camera(settings: object, where: str = "camera") -> Camera:
    """Check settings and make a camera of them.

    Args:
        settings: Keys and values.
        where: Dotted path in front of the keys in messages.

    Raises:
        ConfigError: unknown keys or values that do not fit, each with its dotted path.
    """
    try:
        return Camera.model_validate(settings)
    except ValidationError as error:  # holds the settings as they came, so it must not be chained
        problems = [_explain(dict(item), where) for item in error.errors(include_url=False)]
    raise ConfigError("\n".join(problems))


def _explain(item: dict[str, Any], where: str) -> str:
    path = ".".join([where, *(str(part) for part in item["loc"])])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(item["loc"][-1]), Camera.model_fields, n=1, cutoff=0.5)
        known = ", ".join(Camera.model_fields)
        hint = f"did you mean {near[0]}?" if near else f"known are {known}"
        return f"{redact(path)}: unknown key; {hint}"
    return f"{redact(path)}: {redact(item['msg'].removeprefix('Value error, '))}"
