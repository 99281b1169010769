"""The process: what survives its end, how it ends, where it listens."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

import httpx2
import pytest

from tests.sandbox.actors import Merchant, SandboxProcess, eventually, receiver

KILL = subprocess.Popen.kill
TERMINATE = subprocess.Popen.terminate


@pytest.fixture
def process(tmp_path: Path) -> Iterator[SandboxProcess]:
    own = SandboxProcess(tmp_path / "a book of its own.sqlite3")
    yield own
    if own.process.poll() is None:
        own.end(KILL)


@pytest.fixture
def caller(process: SandboxProcess) -> Iterator[Merchant]:
    actor = Merchant(process.url)
    with actor.http:
        yield actor


class TestTheBook:
    @pytest.mark.parametrize("how", [KILL, TERMINATE])
    def test_what_was_answered_is_still_so_after_a_restart(
        self,
        process: SandboxProcess,
        caller: Merchant,
        how: Callable[[subprocess.Popen[str]], None],
    ) -> None:
        order = caller.order()
        caller.initialize()
        caller.control("paystack/pay", reference="wal-1", outcome="success")
        caller.vtpass("pay", **order)
        caller.fault("paystack", "verify", "error_before", times=1)
        caller.control("clock", advance_s=60)
        before = caller.state()

        process.end(how)
        process.start()

        with httpx2.Client(base_url=process.url) as http:
            after = http.get("/_control/state").json()
        for part in ("paystack", "vtpass", "faults", "deliveries"):
            assert after[part] == before[part]
        assert after["clock"]["offset_s"] == 60

    def test_the_vendor_has_done_it_when_it_dies_holding_the_answer(
        self, process: SandboxProcess, caller: Merchant
    ) -> None:
        caller.control("settings", hold_s=60)
        order = caller.order("3000000000000")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(caller.vtpass, "pay", **order)
            with httpx2.Client(base_url=process.url) as http:
                eventually(lambda: len(http.get("/_control/state").json()["vtpass"]["orders"]) == 1)
            process.end(KILL)
            assert isinstance(waiting.exception(), httpx2.TransportError)

        process.start()

        restarted = Merchant(process.url)
        with restarted.http:
            assert restarted.requery(order["request_id"])["code"] == "000"

    def test_a_webhook_that_waited_is_sent_after_the_restart(
        self, process: SandboxProcess, caller: Merchant
    ) -> None:
        with receiver() as inbox:
            caller.control("webhooks", vendor="paystack", url=inbox.url)
            caller.fault("paystack", "webhook", "webhook_delay", seconds=3600)
            caller.initialize()
            caller.control("paystack/pay", reference="wal-1", outcome="success")
            process.end(KILL)
            assert inbox.received == []

            process.start()
            with httpx2.Client(base_url=process.url) as http:
                http.post("/_control/clock", json={"advance_s": 3600})

            assert b"wal-1" in inbox.wait_for(1)[0].body

    def test_parallel_orders_with_one_request_id_are_one(self, caller: Merchant) -> None:
        order = caller.order()

        with ThreadPoolExecutor(16) as pool:
            codes = list(pool.map(lambda _: caller.vtpass("pay", **order).json()["code"], range(16)))

        assert sorted(codes) == ["000"] + ["014"] * 15
        assert [row["times"] for row in caller.state()["vtpass"]["delivered"]] == [1]


class TestTheEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_at_once_even_while_it_holds_a_connection(
        self, process: SandboxProcess, caller: Merchant, number: signal.Signals
    ) -> None:
        caller.fault("paystack", "verify", "timeout_before", seconds=60)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(caller.verify)
            with httpx2.Client(base_url=process.url) as http:
                eventually(lambda: http.get("/_control/state").json()["faults"][0]["fired"] == 1)
            started = time.monotonic()
            process.end(lambda child: child.send_signal(number))
            assert isinstance(waiting.exception(), httpx2.TransportError)

        assert time.monotonic() - started < 2
        assert process.process.returncode == 0


class TestWhereItListens:
    @pytest.mark.parametrize("host", [str(IPv4Address(0)), "192.0.2.1", "example.com"])
    def test_it_refuses_anything_but_loopback(self, tmp_path: Path, host: str) -> None:
        command = [sys.executable, "-m", "sandbox", "--host", host, "--book", str(tmp_path / "b")]

        ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)

        assert ended.returncode == 2
        assert "loopback only" in ended.stderr
        assert not (tmp_path / "b").exists()

    def test_a_taken_port_is_a_sentence_and_no_traceback(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            command = [sys.executable, "-m", "sandbox", "--port", port, "--book", str(tmp_path / "b")]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)

        assert ended.returncode == 1
        assert "cannot listen on 127.0.0.1:" + port in ended.stderr
        assert "Traceback" not in ended.stderr

    def test_malformed_http_gets_the_sandbox_header_too(self, process: SandboxProcess) -> None:
        port = int(process.url.rpartition(":")[2])

        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"NONSENSE\r\n\r\n")
            answer = connection.recv(4096)

        assert b"X-Sandbox: fintech-core" in answer
