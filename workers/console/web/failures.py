"""What is said when something goes wrong: to programs as RFC 9457 says, to people as a page."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from pipeline.errors import (
    Erased,
    GalleryBusy,
    ImageError,
    PinwatchError,
    SubjectExists,
    SubjectNotFound,
    TemplateKeyMismatch,
    UsageError,
)
from pipeline.redact import redact
from workers.console.web.headers import add_headers
from workers.console.web.pages import Pages, go_to
from workers.console.web.problems import PROBLEM

log = structlog.get_logger(__name__)

API = "/api/"
_STATUS: dict[type[PinwatchError], int] = {
    SubjectNotFound: 404,
    SubjectExists: 409,
    TemplateKeyMismatch: 409,
    Erased: 410,
    ImageError: 422,
    UsageError: 422,
    GalleryBusy: 503,
}
"""Of errors whose text is meant for whoever asked; the others are for whoever runs the console."""
_UNFIT = (DataError, UnicodeEncodeError, OverflowError)
"""What databases say of NUL, of half a character, and of numbers beyond all measure."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong.

    Attributes:
        status: HTTP's.
        detail: In one sentence.
        headers: That belong to it.
    """

    status: int
    detail: str
    headers: dict[str, str]

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase

    def as_problem(self) -> JSONResponse:
        """RFC 9457."""
        body = {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}
        headers = {"www-authenticate": "Bearer", **self.headers} if self.status == 401 else self.headers
        return JSONResponse(body, self.status, headers, media_type=PROBLEM)


class Failures:
    """Answers for every error.

    Args:
        pages: Draws the page.
        secure: Browsers come over HTTPS.
    """

    def __init__(self, pages: Pages, secure: bool) -> None:
        self._pages, self._secure = pages, secure

    def register(self, app: FastAPI) -> None:
        """Take over from FastAPI's own answers."""
        app.add_exception_handler(HTTPException, self.answer)
        app.add_exception_handler(RequestValidationError, self.answer)
        app.add_exception_handler(PinwatchError, self.answer)
        for unfit in _UNFIT:
            app.add_exception_handler(unfit, self.answer)
        app.add_exception_handler(Exception, self.answer)

    def answer(self, request: Request, error: Exception) -> Response:
        """A page or a problem that says what went wrong, and nothing of how we are built."""
        failure = failure_of(error)
        if failure.status >= 500 or isinstance(error, _UNFIT):
            log.error("request failed", method=request.method, error=redact(repr(error)))
        answer = self._answer(request, failure)
        add_headers(answer.headers, self._secure)  # an unexpected error is answered outside the middleware
        return answer

    def _answer(self, request: Request, failure: Failure) -> Response:
        path = request.url.path
        if path.startswith(API):
            return failure.as_problem()
        if failure.status == 401 and request.method == "GET" and "authorization" not in request.headers:
            wanted = f"{path}?{request.url.query}" if request.url.query else path
            return go_to("/login" if wanted == "/" else f"/login?next={quote(wanted)}")
        answer = self._pages.page(request, "failure.html", status=failure.status, failure=failure)
        answer.headers.update(failure.headers)
        return answer


def failure_of(error: Exception) -> Failure:
    """What to say of an error."""
    match error:
        case HTTPException():
            return Failure(error.status_code, error.detail, dict(error.headers or {}))
        case RequestValidationError():
            return Failure(422, "; ".join(_complaint(item) for item in error.errors()), {})
        case SubjectNotFound():
            return Failure(404, "nobody is enrolled so, or not any more", {})
        case PinwatchError():
            return _of_ours(error)
        case DataError() | UnicodeEncodeError() | OverflowError():
            return Failure(422, "the request holds a character or a number that cannot be kept", {})
        case _:
            return Failure(500, "something went wrong that should not; the log of the console says what", {})


def _of_ours(error: PinwatchError) -> Failure:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    if status >= 500:
        detail = "try again in a moment" if error.retriable else "the log of the console says why"
        return Failure(503, f"this cannot be done at the moment: {detail}", {})
    return Failure(status, redact(str(error)), {})


def _complaint(item: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in item["loc"][1:]) or "request"
    return f"{where}: {item['msg']}"
