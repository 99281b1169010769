"""How the story is told: one line for a request, one for its answer, a mark behind every figure that was promised."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

SECRETS: Final = frozenset({"password", "pin", "access", "refresh"})
MASK: Final = "••••"
LEAST_WIDTH: Final = 60
INDENT: Final = "    "


class Out(Protocol):
    """Where lines go: a file, or the output of a command."""

    def write(self, text: str, /) -> object:
        """Write text."""

    def flush(self) -> None:
        """Let it be seen at once."""


class Screen:
    """Writes to ``out``; colours only where ``colours``, lines no longer than ``width`` characters."""

    def __init__(self, out: Out, *, colours: bool, width: int) -> None:
        self._out = out
        self._colours = colours
        self._width = max(width, LEAST_WIDTH)

    def title(self, text: str, address: str) -> None:
        """Say what this is and whom it asks."""
        self._line(f"{self._paint('1', text)}  {self._paint('2', address)}")

    def step(self, number: int, sentence: str) -> None:
        """Begin a step."""
        self._line("")
        self._line(self._paint("1;36", f" {number}  {sentence}"))

    def request(self, method: str, path: str, body: Mapping[str, Any] | None, notes: Sequence[str]) -> None:
        """Show what is asked; secrets are masked."""
        self._exchange("→", "34", f"{method} {path}", body, notes)

    def answer(self, status: int, body: Any, notes: Sequence[str]) -> None:
        """Show what came back."""
        self._exchange("←", "32" if status < 400 else "31", str(status), body, notes)

    def note(self, text: str) -> None:
        """Say something about what happens meanwhile."""
        self._line(f"{INDENT}{self._paint('2', f'· {text}')}")

    def kept(self, figure: str) -> None:
        """Mark a figure that is as promised."""
        self._line(f"{INDENT}{self._paint('32', '✓')} {self._paint('1', figure)}")

    def broken(self, sentence: str) -> None:
        """Say which promise was not kept."""
        self._line(f"{INDENT}{self._paint('31', '✗')} {self._paint('1', sentence)}")

    def end(self, sentence: str) -> None:
        """Close the story."""
        self._line("")
        self._line(self._paint("1;32", sentence))

    def _exchange(self, arrow: str, colour: str, head: str, body: Any, notes: Sequence[str]) -> None:
        """Write one line; what does not fit is cut out of the body."""
        end = "".join(f"  {note}" for note in notes if note)
        sent = "" if body is None else f"  {compact(masked(body))}"
        room = self._width - len(INDENT) - len("→ ") - len(head) - len(end)
        shown = sent if len(sent) <= room else f"{sent[: max(room - 1, 0)]}…"
        self._line(f"{INDENT}{self._paint(colour, arrow)} {head}{self._paint('2', shown + end)}")

    def _line(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colours and text else text


def masked(body: Any) -> Any:
    """Return a body with its secrets replaced, at every depth."""
    if isinstance(body, Mapping):
        return {name: MASK if name in SECRETS else masked(value) for name, value in body.items()}
    if isinstance(body, list):
        return [masked(value) for value in body]
    return body


def compact(body: Any) -> str:
    """Write JSON on one line, as a person reads it; numbers that are no integers as they were sent."""
    return json.dumps(body, ensure_ascii=False, default=str)


def naira(amount: str) -> str:
    """Write an amount of the API with its separators: ``45,000.00``."""
    return f"{Decimal(amount):,f}"


def in_fours(token: str) -> str:
    """Write an electricity token as it stands on a receipt: in groups of four."""
    return "-".join(token[start : start + 4] for start in range(0, len(token), 4))
