"""Strict reading of a control body: every mistake becomes one clear sentence."""

from collections.abc import Iterable

from sandbox.exchange import Request

_HIGHEST = 86_400.0 * 366


class Misused(Exception):
    """The control API was called wrongly; the text is for the person who did."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class Body:
    """The fields of one control call. Raises `Misused` on anything unknown, missing or of the wrong type."""

    def __init__(self, request: Request, *known: str) -> None:
        self._fields = request.fields()
        unknown = sorted(set(self._fields) - set(known))
        if unknown:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise Misused(f"Unknown field {unknown[0]!r}; {takes}.")

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self._fields.get(name)
        if not isinstance(value, str) or not value:
            raise Misused(f"{name} is required and must be a text.")
        return value

    def choice(self, name: str, choices: Iterable[str], default: str | None = None) -> str:
        """One of the given words; `default` when it is not sent."""
        value = self._fields.get(name, default)
        if value == default and default is not None:
            return default
        allowed = list(choices)
        if value not in allowed:
            raise Misused(f"{name} must be one of {', '.join(allowed)}.")
        return str(value)

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        value = self._fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
            raise Misused(f"{name} must be a whole number.")
        return value

    def whole_or_null(self, name: str, *, default: int | None, lowest: int) -> int | None:
        """A whole number not below `lowest`, or null."""
        if self._fields.get(name, default) is None:
            return None
        value = self.whole(name, default or 0)
        if value < lowest:
            raise Misused(f"{name} must be at least {lowest}.")
        return value

    def number(self, name: str, default: float | None = None, highest: float = _HIGHEST) -> float:
        """A number from 0 to `highest`."""
        value = self._fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
            raise Misused(f"{name} must be a number from 0 to {highest:g}.")
        return float(value)

    def number_or_none(self, name: str, highest: float = _HIGHEST) -> float | None:
        """A number from 0 to `highest`, or nothing."""
        return None if self._fields.get(name) is None else self.number(name, highest=highest)

    def flag_or_none(self, name: str) -> bool | None:
        """True, false or nothing."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise Misused(f"{name} must be true or false.")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """An object of texts; empty when it is not sent."""
        value = self._fields.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
            raise Misused(f"{name} must be an object whose values are texts.")
        return value
