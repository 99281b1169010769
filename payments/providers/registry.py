"""The gateways that settings name."""

from django.conf import settings
from django.utils.module_loading import import_string

from payments.providers.base import Gateway


def gateway_names() -> tuple[str, ...]:
    """Return the names by which customers choose a gateway; the first is the default."""
    return tuple(settings.VENDORS["gateway"])


def gateway(name: str) -> Gateway:
    """Make the adapter of a gateway by its dotted path; raises KeyError for one that settings do not name."""
    made: Gateway = import_string(settings.VENDORS["gateway"][name])()
    return made
