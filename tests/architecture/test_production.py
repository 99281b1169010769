"""Production starts with every secret of its own and without a single development switch, or not at all."""

import os
import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT

SECRETS = (
    "SECRET_KEY", "ACCESS_TOKEN_SECRET", "FIELD_SECRET", "PIN_PEPPER", "SEAL_SECRET", "REFRESH_TOKEN_SECRET",
    "VTPASS_WEBHOOK_TOKEN",
)  # fmt: skip
VENDORS = {
    "PAYSTACK_BASE_URL": "https://api.paystack.co",
    "PAYSTACK_SECRET_KEY": "sk_live_0123456789abcdef",
    "VTPASS_BASE_URL": "https://vtpass.com/api",
    "VTPASS_API_KEY": "0123456789abcdef",
    "VTPASS_PUBLIC_KEY": "PK_0123456789abcdef",
    "VTPASS_SECRET_KEY": "SK_0123456789abcdef",
    "VTPASS_CONTACT_PHONE": "08030000000",
    "VERIFIER_BASE_URL": "https://verifier.example.com",
    "VERIFIER_API_KEY": "0123456789abcdef",
}
ADDRESSES = {
    "DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "ALLOWED_HOSTS": "wallet.example.com",
    "PUBLIC_URL": "https://wallet.example.com",
}
VALUES = {name: f"{name.lower()}-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFG" for name in SECRETS}


def check(**changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run Django's checks for deployment in an environment of production with some changes."""
    given: dict[str, str | None] = {**ADDRESSES, **VENDORS, **VALUES, "ENVIRONMENT": "production", **changes}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**inherited, **{name: value for name, value in given.items() if value is not None}},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_production_starts_without_a_warning() -> None:
    result = check()
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", [*SECRETS, *VENDORS, "DATABASE_URL", "REDIS_URL"])
def test_production_refuses_a_default(name: str) -> None:
    result = check(**{name: None})
    assert result.returncode != 0
    assert f"{name}" in result.stderr
    assert "must be set in production" in result.stderr


@pytest.mark.parametrize(
    ("name", "ring"),
    [
        ("ACCESS_TOKEN_SECRET", "ACCESS_TOKEN_KEYS"),
        ("FIELD_SECRET", "FIELD_KEYS"),
        ("PIN_PEPPER", "PIN_PEPPERS"),
        ("SEAL_SECRET", "SEAL_KEYS"),
    ],
)
def test_production_refuses_a_short_key(name: str, ring: str) -> None:
    result = check(**{name: "x" * 31, ring: None})
    assert result.returncode != 0
    assert f"{ring}: the secret of" in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTP_MODE", "sandbox"),
        ("RATE_LIMITS", "off"),
        ("CRASH_POINTS_DIR", "points"),
        ("SANDBOX_URL", "http://127.0.0.1:1"),
    ],
)
def test_production_refuses_a_development_switch(name: str, value: str) -> None:
    result = check(**{name: value})
    assert result.returncode != 0
    assert "is a development switch" in result.stderr
