"""What can be turned while the sandbox runs. A knob that nobody turned has the start value."""

from sandbox.book import Book, set_meta
from sandbox.settings import Settings

_HOLD = "hold_s"
_FLOAT = "vtpass_float_kobo"
_DUPLICATE_RULE = "vtpass_duplicate_rule"


class Knobs:
    """Reads from the book, falls back to the settings."""

    def __init__(self, book: Book, settings: Settings) -> None:
        self._book = book
        self._settings = settings

    @property
    def hold_s(self) -> float:
        """Seconds a connection is held open before it is cut."""
        turned = self._book.meta(_HOLD)
        return self._settings.hold_s if turned is None else float(turned)

    @property
    def vtpass_float_kobo(self) -> int:
        """What is left of the merchant's prepaid balance at VTpass, in kobo."""
        turned = self._book.meta(_FLOAT)
        return self._settings.vtpass_float_kobo if turned is None else int(turned)

    @property
    def vtpass_duplicate_rule(self) -> bool:
        """Whether VTpass refuses the same service, customer and amount within 30 seconds (code 019)."""
        turned = self._book.meta(_DUPLICATE_RULE)
        return self._settings.vtpass_duplicate_rule if turned is None else turned == "on"

    def turn(
        self,
        *,
        hold_s: float | None = None,
        vtpass_float_kobo: int | None = None,
        vtpass_duplicate_rule: bool | None = None,
    ) -> None:
        """Change the knobs that are given."""
        with self._book.transaction() as db:
            if hold_s is not None:
                set_meta(db, _HOLD, str(hold_s))
            if vtpass_float_kobo is not None:
                set_meta(db, _FLOAT, str(vtpass_float_kobo))
            if vtpass_duplicate_rule is not None:
                set_meta(db, _DUPLICATE_RULE, "on" if vtpass_duplicate_rule else "off")

    def webhook_url(self, vendor: str) -> str | None:
        """Where this vendor's webhooks go, or None when nowhere."""
        found = self._book.row("SELECT url FROM webhook_urls WHERE vendor = ?", (vendor,))
        return str(found["url"]) if found else self._settings.webhook_urls.get(vendor)

    def set_webhook_url(self, vendor: str, url: str) -> None:
        """Send this vendor's webhooks to `url` from now on."""
        with self._book.transaction() as db:
            db.execute(
                "INSERT INTO webhook_urls (vendor, url) VALUES (?, ?)"
                " ON CONFLICT (vendor) DO UPDATE SET url = excluded.url",
                (vendor, url),
            )
