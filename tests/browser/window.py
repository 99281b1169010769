"""A browser window that takes pictures and remembers everything that went wrong on its pages."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

TIMEOUT_MS = 20_000
SIZE = {"width": 1440, "height": 900}
OWN_SCHEMES = ("data", "blob", "about")


class Window:
    """One page in a profile of its own. What it asks of other hosts, and its errors, stand in ``faults``."""

    def __init__(self, browser: Browser, pictures: Path) -> None:
        self._context = browser.new_context(viewport=SIZE, locale="en-GB", timezone_id="Africa/Lagos")
        self._context.set_default_timeout(TIMEOUT_MS)
        self._pictures = pictures
        self.faults: list[str] = []
        self.page: Page = self._context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def open(self, address: str) -> Page:
        """Go to an address, and wait until its page is quiet."""
        self.page.goto(address)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def picture(self, name: str) -> Path:
        """Take a picture of the page as it stands; returns the file."""
        self.page.wait_for_load_state("networkidle")
        path = self._pictures / f"{name}.png"
        self.page.screenshot(path=path)
        assert path.stat().st_size > 5_000, f"{path} shows hardly anything"
        return path

    def text(self) -> str:
        """Return what a person can read on the page."""
        return self.page.inner_text("body")

    def close(self) -> None:
        """Close the window and its profile."""
        self._context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console {message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in OWN_SCHEMES and parts.hostname != "127.0.0.1":
            self.faults.append(f"asked another host: {request.url}")

    def _answered(self, response: Response) -> Any:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")
