"""What people are called: their full names, and as much of them as others are told."""

from dataclasses import dataclass

from users.models import User


@dataclass(frozen=True, slots=True)
class PersonName:
    """What somebody was called at one time."""

    first_name: str
    last_name: str

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


def masked_name(person: User | PersonName) -> str:
    """Return a name that its owner's friends recognise and a stranger cannot look up: ``Chidi O.``"""
    return f"{person.first_name} {person.last_name[:1]}.".strip()
