"""Puts the Paystack stand-in together."""

from sandbox.core import Sandbox
from sandbox.paystack import banks, replies, webhooks
from sandbox.paystack.checkout import Checkout
from sandbox.paystack.initialize import Initialize
from sandbox.paystack.queries import Queries
from sandbox.vendor import Route, Vendor


def paystack(sandbox: Sandbox, checkout: Checkout) -> Vendor:
    """Build the vendor; the checkout page is open to anybody who has its address."""
    queries = Queries(sandbox)
    page = "/checkout/paystack/{access_code}"
    return Vendor(
        name=webhooks.NAME,
        prefix="/paystack",
        routes=(
            Route("POST", "/paystack/transaction/initialize", "initialize", Initialize(sandbox, checkout)),
            Route("GET", "/paystack/transaction/verify/{reference}", "verify", queries.verify),
            Route("GET", "/paystack/transaction", "list", queries.list_transactions),
            Route("GET", "/paystack/bank", "banks", banks.list_banks),
            Route("GET", "/paystack/bank/resolve", "resolve", banks.resolve),
            Route("GET", page, "checkout", checkout.show, is_open=True),
            Route("POST", page + "/act", "checkout", checkout.submit, is_open=True),
        ),
        authenticate=replies.authenticate,
        refusals=replies.refusals(),
        not_found=replies.not_found,
        overtaken=frozenset({"initialize"}),
        sends_webhooks=True,
        signs_webhooks=True,
    )
