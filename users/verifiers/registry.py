"""The verifier that settings name."""

from django.conf import settings
from django.utils.module_loading import import_string

from users.verifiers.base import Verifier


def verifier() -> Verifier:
    """Make the configured verifier: the first of ``VENDORS["verifier"]``, by its dotted path."""
    path = next(iter(settings.VENDORS["verifier"].values()))
    made: Verifier = import_string(path)()
    return made
