"""What pages and API say of cameras that are not there, or give no picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline.errors import SourceError, SourceNotFound, UsageError
from pipeline.redact import redact
from workers.console.access.principal import Principal
from workers.console.cameras.service import ConsoleCameras

MAX_FILE_BYTES = 200 * 1024

Found = TypeVar("Found")


def answered(ask: Callable[[], Found]) -> Found:
    """What was asked for. Raises ``HTTPException`` 404 where there is no such camera."""
    try:
        return ask()
    except SourceNotFound:
        raise HTTPException(404, "there is no such camera, or none that you may see") from None


def picture_of(cameras: ConsoleCameras, caller: Principal, name: str, *, masked: bool) -> Response:
    """A JPEG. Raises ``HTTPException``: 404, there is no such camera; 502, it gives no picture."""
    answered(lambda: cameras.get(caller, name))
    try:
        data = cameras.picture(caller, name, masked=masked)
    except SourceError as error:
        raise HTTPException(502, redact(str(error))) from None
    return Response(data, media_type="image/jpeg")


def yaml_of(text: str) -> Response:
    """As a file."""
    headers = {"content-disposition": 'attachment; filename="cameras.yaml"'}
    return Response(text, media_type="application/yaml", headers=headers)


def text_of(file: UploadFile) -> str:
    """What a small file says. Raises ``UsageError``: it is too large, or no text."""
    data = file.file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"the file is larger than {MAX_FILE_BYTES // 1024} KiB: import it in parts")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("the file is no text in UTF-8: choose a YAML file") from None
