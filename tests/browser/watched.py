"""A page of the browser with somebody listening to what it complains about."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Error, Page, Request

_POLICY = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
_PATIENCE_MS = 60_000
"""Long: a machine may be busy with other tests."""


class Watched:
    """A page whose errors are kept: exceptions, what the policy forbids, requests to elsewhere, dialogs.

    Dialogs are dismissed unless :meth:`answer` was called before.

    Args:
        context: Makes the page.
        origin: The only one that may be asked for anything.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self._origin = origin
        self.complaints: list[str] = []
        self.dialogs: list[str] = []
        self._accept: bool | None = None
        context.add_init_script(_POLICY)
        self.page = page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        page.on("request", self._on_request)
        page.on("dialog", self._on_dialog)

    @property
    def origin(self) -> str:
        return self._origin

    def open(self, path: str) -> Page:
        """Go to `path`, and wait until everything is loaded."""
        self.page.goto(self._origin + path)
        return self.page

    def answer(self, accept: bool) -> None:
        """The next dialogs are expected; say yes or no to them."""
        self._accept = accept

    def forgive(self, text: str) -> None:
        """Forget the complaints that contain `text`: they were meant to come."""
        kept = [one for one in self.complaints if text not in one]
        assert len(kept) < len(self.complaints), f"nobody complained about {text!r}: {self.complaints}"
        self.complaints[:] = kept

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _on_error(self, error: Error) -> None:
        self.complaints.append(f"{self.page.url}: {error.message}")

    def _on_request(self, request: Request) -> None:
        mine = (self._origin, f"blob:{self._origin}", "data:", self._origin.replace("http", "ws", 1))
        if not request.url.startswith(mine):
            self.complaints.append(f"{self.page.url}: asked {request.url}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        if self._accept is None:
            self.complaints.append(f"{self.page.url}: dialog {dialog.message}")
        if self._accept:
            dialog.accept()
        else:
            dialog.dismiss()
