"""The story, step by step. Every figure in it is a promise that is checked."""

import subprocess
import sys
import time
from typing import Final

from django.conf import settings

from backoffice.demo.api import Api, PromiseBroken, fresh_digits, new_key
from backoffice.demo.people import Person, electricity
from backoffice.demo.screen import in_fours, naira

FUNDS: Final = "50000.00"
SENT: Final = "5000.00"
BILL: Final = "10000.00"
CASHBACK: Final = "100.00"
LATE_BILL: Final = "2000.00"
PROOF_LIMIT_S: Final = 300


def tell(api: Api) -> None:
    """Tell the story. Raises PromiseBroken at the first promise that is not kept."""
    screen, started = api.screen, time.monotonic()
    screen.title("Fintech Core, in seven steps", api.base_url)
    ada, chidi = Person(api, "Ada", "Obi"), Person(api.another(), "Chidi", "Okafor")

    screen.step(1, "Ada registers, sets a PIN and passes KYC tier 1")
    ada.register()
    ada.set_pin()
    ada.pass_kyc()
    ada.holds("0.00")

    screen.step(2, f"She funds ₦{naira(FUNDS)} through Paystack: checkout page → signed webhook → verify")
    ada.fund(FUNDS)
    ada.holds(FUNDS)

    screen.step(3, f"She sends ₦{naira(SENT)} to Chidi, who is new too")
    chidi.register()
    ada.send(chidi, SENT)
    ada.holds("45000.00")
    chidi.holds(SENT)

    screen.step(4, f"She validates a meter and pays ₦{naira(BILL)} of electricity")
    order, key = electricity(f"1111{fresh_digits(9)}", BILL), new_key()
    order["quote_id"] = ada.validate(order)["quote_id"]
    first = _pay_electricity(ada, order, key)
    ada.holds("35000.00")

    screen.step(5, "She retries with the same Idempotency-Key: the same answer, nothing charged twice")
    _retry(ada, order, key, first)
    ada.holds("35000.00")

    screen.step(6, "A biller's time-out: 202 processing, the money is held, the sweeper settles it")
    _time_out(ada)

    screen.step(7, "The whole ledger is proven again")
    _verify(api)
    screen.end(f"All seven steps are as promised, in {time.monotonic() - started:.0f} s.")


def _pay_electricity(ada: Person, order: dict[str, str], key: str) -> dict[str, object]:
    reply = ada.pay_bill(order, key=key)
    paid = reply.body if reply.body["is_final"] else ada.bill_when_final(reply.body["id"])
    if paid["status"] != "completed" or not paid["token"]:
        raise PromiseBroken(f"The bill is {paid['status']} with token {paid['token']}.")
    ada.api.screen.kept(f"token {in_fours(paid['token'])}, {paid['units']} units")
    if paid["cashback"]["amount"] != CASHBACK:
        raise PromiseBroken(f"The cashback is {paid['cashback']['amount']}; promised was {CASHBACK}.")
    summary = ada.api.call("GET", "/cashback/summary").body
    if summary["available"] != CASHBACK:
        raise PromiseBroken(f"The cashback wallet has {summary['available']}; promised was {CASHBACK}.")
    ada.api.screen.kept(f"cashback NGN {naira(CASHBACK)}")
    return dict(paid)


def _retry(ada: Person, order: dict[str, str], key: str, first: dict[str, object]) -> None:
    again = ada.pay_bill(order, key=key)
    if not again.replayed:
        raise PromiseBroken("The answer does not say Idempotent-Replayed: true.")
    if again.body != first:
        raise PromiseBroken(f"The second answer differs from the first: {again.body} is not {first}.")
    ada.api.screen.kept("the same answer, field by field")


def _time_out(ada: Person) -> None:
    order = electricity(f"3000{fresh_digits(9)}", LATE_BILL)
    reply = ada.pay_bill(order, key=new_key(), wait_s=1)
    if reply.status != 202 or reply.body["status"] != "processing":
        raise PromiseBroken(f"The biller timed out, but the answer is {reply.status} {reply.body['status']}.")
    ada.holds("35000.00", held=LATE_BILL)
    ada.api.screen.note(
        "the biller delivered, but cut the line; nobody knows yet, so nothing is sent or given back"
    )
    settled = ada.bill_when_final(reply.body["id"])
    if settled["status"] != "completed" or not settled["token"]:
        raise PromiseBroken(f"The bill ended {settled['status']} with token {settled['token']}.")
    ada.api.screen.kept(f"settled by asking again: token {in_fours(settled['token'])}")
    ada.holds("33000.00")


def _verify(api: Api) -> None:
    """Run ``verify_ledger`` on the database that this command is configured for."""
    api.screen.request("manage.py", "verify_ledger", None, [])
    proof = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "verify_ledger"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROOF_LIMIT_S,
    )
    lines = proof.stdout.strip().splitlines()
    for line in lines[:-1]:
        api.screen.note(line)
    if proof.returncode != 0:
        api.screen.note(proof.stderr.strip()[-2000:])
        raise PromiseBroken(
            f"verify_ledger ended with {proof.returncode}: {lines[-1] if lines else 'it said nothing'}"
        )
    api.screen.kept(lines[-1])
