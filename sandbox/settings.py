"""What the sandbox is started with: command line first, environment second, defaults last."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
DEFAULT_PORT = 8100
DEFAULT_BOOK = "sandbox.sqlite3"
DEFAULT_HOLD_S = 12.0
DEFAULT_FLOAT_NAIRA = 5_000_000


@dataclass(frozen=True)
class Settings:
    """Start values. What the control API changes later stands in the book and wins over these."""

    host: str
    port: int
    book_path: str
    public_url: str | None
    hold_s: float
    webhook_urls: Mapping[str, str]
    vtpass_float_kobo: int
    vtpass_duplicate_rule: bool


def read_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Parse the command line over the environment; exits with a usage message when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address; others are refused")
    parser.add_argument("--port", type=int, default=int(environment.get("SANDBOX_PORT", DEFAULT_PORT)))
    parser.add_argument("--book", default=environment.get("SANDBOX_BOOK", DEFAULT_BOOK))
    given = parser.parse_args(arguments)
    if given.host not in LOOPBACK_HOSTS:
        parser.error(f"the sandbox listens on loopback only, not on {given.host}")
    urls = {
        "paystack": environment.get("SANDBOX_PAYSTACK_WEBHOOK_URL", ""),
        "vtpass": environment.get("SANDBOX_VTPASS_WEBHOOK_URL", ""),
    }
    return Settings(
        host=given.host,
        port=given.port,
        book_path=given.book,
        public_url=environment.get("SANDBOX_PUBLIC_URL") or None,
        hold_s=float(environment.get("SANDBOX_HOLD_S", DEFAULT_HOLD_S)),
        webhook_urls={vendor: url for vendor, url in urls.items() if url},
        vtpass_float_kobo=int(environment.get("SANDBOX_VTPASS_FLOAT", DEFAULT_FLOAT_NAIRA)) * 100,
        vtpass_duplicate_rule=environment.get("SANDBOX_VTPASS_DUPLICATE_RULE", "off") == "on",
    )
