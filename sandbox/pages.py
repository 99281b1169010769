"""Pages for people, filled from `templates/`. Everything that comes from outside is escaped."""

import html
from importlib import resources
from string import Template


class Pages:
    """Reads the templates once."""

    def __init__(self) -> None:
        folder = resources.files("sandbox").joinpath("templates")
        self._style = folder.joinpath("style.css").read_text("utf-8")
        self._templates = {
            name: Template(folder.joinpath(f"{name}.html").read_text("utf-8"))
            for name in ("checkout", "checkout_actions", "notice", "message", "about")
        }

    def checkout(
        self,
        *,
        merchant: str,
        email: str,
        reference: str,
        amount: str,
        one_naira: str,
        other_currency: str,
        action: str,
        notice: tuple[str, str, str] | None,
        is_open: bool,
    ) -> str:
        """Fill the checkout page; the buttons are there only while it is open."""
        told = self._fill("notice", kind=notice[0], title=notice[1], text=notice[2]) if notice else ""
        actions = (
            self._fill(
                "checkout_actions",
                action=action,
                amount=amount,
                one_naira=one_naira,
                other_currency=other_currency,
            )
            if is_open
            else ""
        )
        return self._templates["checkout"].substitute(
            style=self._style,
            merchant=html.escape(merchant),
            email=html.escape(email),
            reference=html.escape(reference),
            amount=html.escape(amount),
            notice=told,
            actions=actions,
        )

    def message(self, title: str, text: str) -> str:
        """Fill a page that only says something."""
        return self._templates["message"].substitute(
            style=self._style, title=html.escape(title), text=html.escape(text)
        )

    def about(self) -> str:
        """Fill the front page: what is documented, observed and guessed, and the magic numbers."""
        return self._templates["about"].substitute(style=self._style)

    def _fill(self, name: str, **values: str) -> str:
        escaped = {key: html.escape(value) for key, value in values.items()}
        return self._templates[name].substitute(escaped)
