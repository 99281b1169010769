"""Imports go downwards only, and only one module talks to the network."""

import subprocess
import sys

import pytest

from tests.architecture.sources import APPS, ROOT, imports_of, parse, sources

NETWORK = (
    "httpx2",
    "requests",
    "urllib3",
    "aiohttp",
    "socket",
    "http.client",
    "urllib.request",
    "smtplib",
    "ftplib",
)
ALLOWED = {
    "fintech_core/http.py": "the one outgoing client",
    "fintech_core/transport.py": "what it is made of",
    "fintech_core/supervisor/programs.py": "asks its own children on loopback whether they are ready",
    "fintech_core/management/commands/run.py": "looks for a free port on loopback",
    "fintech_core/embedded/__init__.py": "asks its own servers over Unix sockets",
    "fintech_core/embedded/valkey.py": "asks its own servers over Unix sockets",
    "sandbox/deliveries.py": "sends webhooks, as the vendors do",
    "sandbox/server.py": "is the vendors' server",
}


def network_imports(path: str, text: str) -> set[str]:
    """Name what a file imports in order to talk to the network."""
    found = {name for name, _ in imports_of(parse(path, text).tree)}
    return {
        name
        for name in found
        if name in NETWORK or name.startswith(tuple(f"{module}." for module in NETWORK))
    }


def test_the_contracts_are_kept() -> None:
    command = "from importlinter.cli import lint_imports_command as main; main()"
    result = subprocess.run(
        [sys.executable, "-c", command, "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_only_one_module_talks_to_the_network() -> None:
    files = sources(*APPS, "sandbox")
    talking = {file.path for file in files if network_imports(file.path, (ROOT / file.path).read_text())}
    assert talking == set(ALLOWED)


@pytest.mark.parametrize(
    "line",
    [
        "import http.client",
        "from http import client",
        "from urllib.request import urlopen",
        "import socket as s",
    ],
)
def test_the_rule_sees_every_spelling(line: str) -> None:
    assert network_imports("x.py", f"def late():\n    {line}\n")


def test_the_rule_lets_parsing_of_addresses_pass() -> None:
    assert not network_imports("x.py", "from urllib.parse import quote\nfrom http import HTTPStatus\n")
