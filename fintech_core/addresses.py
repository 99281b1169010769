"""The address a request came from."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "unknown"


def client_address(request: HttpRequest) -> str:
    """Return the client's IP address in its canonical form, or ``unknown`` (a Unix socket).

    Behind ``TRUSTED_PROXIES`` = n proxies it is the n-th entry of ``X-Forwarded-For`` from the right: each
    trusted proxy appends the address it saw, and everything further left is the client's own claim.
    """
    if settings.TRUSTED_PROXIES > 0:
        entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(entries) >= settings.TRUSTED_PROXIES:
            forwarded = _canonical(entries[-settings.TRUSTED_PROXIES])
            if forwarded != UNKNOWN:
                return forwarded
    return _canonical(request.META.get("REMOTE_ADDR", ""))


def network_of(address: str) -> str:
    """Return what one customer line holds: the IPv4 address itself, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def _canonical(text: str) -> str:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return UNKNOWN
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
