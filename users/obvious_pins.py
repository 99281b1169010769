"""PINs that a thief tries first. Pure: what is known about the person comes in as arguments."""

import re
from collections.abc import Iterable
from datetime import date

_SHAPE = re.compile(r"[0-9]{4}|[0-9]{6}")
_REPEATED = re.compile(r"([0-9]{1,3})\1+")
_RUNS = ("012345678901234", "987654321098765")
_DATE_FORMATS = ("%Y", "%d%m", "%m%d", "%m%y", "%d%m%y", "%m%d%y", "%y%m%d", "%m%Y", "%Y%m")


def fault_of(pin: str, *, phone: str | None, born: Iterable[date]) -> tuple[str, str] | None:
    """Return code and sentence of what speaks against the PIN, or None when nothing does.

    ``invalid`` when it has not 4 or 6 ASCII digits; ``weak_pin`` for one repeated block (1111, 1212, 123123),
    a run up or down (1234, 987654), a spelling of the birth date or year, and the last digits of the phone.
    """
    if _SHAPE.fullmatch(pin) is None:
        return "invalid", "A PIN has 4 or 6 digits."
    if _REPEATED.fullmatch(pin):
        return "weak_pin", "This PIN repeats itself."
    if any(pin in run for run in _RUNS):
        return "weak_pin", "This PIN is a run of digits."
    if any(pin == day.strftime(spelling) for day in born for spelling in _DATE_FORMATS):
        return "weak_pin", "This PIN is your birth date."
    if phone is not None and phone.endswith(pin):
        return "weak_pin", "This PIN is the end of your phone number."
    return None
