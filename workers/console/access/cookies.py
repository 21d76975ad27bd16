"""The two cookies: the session's, and the one that forms before the login are tied to."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

THEME = "pinwatch_theme"


class Cookies:
    """Sets and reads them.

    Args:
        secure: Browsers come over HTTPS. Then the names begin with ``__Host-``, so that no other host of the
            domain can set them.
    """

    def __init__(self, secure: bool) -> None:
        prefix = "__Host-" if secure else ""
        self._secure = secure
        self.session = f"{prefix}pinwatch_session"
        self.form = f"{prefix}pinwatch_form"

    def session_of(self, cookies: Mapping[str, str]) -> str | None:
        return cookies.get(self.session) or None

    def form_of(self, cookies: Mapping[str, str]) -> str | None:
        return cookies.get(self.form) or None

    def set_session(self, response: Response, secret: str) -> None:
        self._set(response, self.session, secret)

    def set_form(self, response: Response, secret: str) -> None:
        self._set(response, self.form, secret)

    def set_theme(self, response: Response, theme: str) -> None:
        """For a year: it says nothing of anybody."""
        self._set(response, THEME, theme, max_age_s=365 * 24 * 3600)

    def end_session(self, response: Response) -> None:
        response.delete_cookie(self.session, path="/", secure=self._secure, httponly=True, samesite="strict")

    def _set(self, response: Response, name: str, value: str, max_age_s: int | None = None) -> None:
        response.set_cookie(
            name, value, max_age=max_age_s, path="/", secure=self._secure, httponly=True, samesite="strict"
        )
