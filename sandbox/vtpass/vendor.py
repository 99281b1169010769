"""Puts the VTpass stand-in together."""

from sandbox.core import Sandbox
from sandbox.vendor import Route, Vendor
from sandbox.vtpass import replies, webhooks
from sandbox.vtpass.catalogue import Balance, Catalogue
from sandbox.vtpass.pay import Pay
from sandbox.vtpass.verify import MerchantVerify


def vtpass(sandbox: Sandbox, catalogue: Catalogue, pay: Pay) -> Vendor:
    """Build the vendor."""
    verify = MerchantVerify(sandbox, catalogue)
    return Vendor(
        name=webhooks.NAME,
        prefix="/vtpass",
        routes=(
            Route("GET", "/vtpass/api/service-categories", "services", catalogue.show_categories),
            Route("GET", "/vtpass/api/services", "services", catalogue.show_services),
            Route("GET", "/vtpass/api/service-variations", "variations", catalogue.show_variations),
            Route("GET", "/vtpass/api/balance", "balance", Balance(sandbox)),
            Route("POST", "/vtpass/api/merchant-verify", "merchant_verify", verify),
            Route("POST", "/vtpass/api/pay", "pay", pay.pay),
            Route("POST", "/vtpass/api/requery", "requery", pay.requery),
        ),
        authenticate=replies.authenticate,
        refusals=replies.refusals(),
        not_found=replies.not_found,
        overtaken=frozenset({"pay"}),
        sends_webhooks=True,
    )
