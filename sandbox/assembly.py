"""Puts the whole sandbox together. A further vendor is one module and one line here."""

from sandbox.book import Book
from sandbox.clock import Clock
from sandbox.control import Control
from sandbox.core import Sandbox
from sandbox.deliveries import Outbox
from sandbox.dispatch import Dispatcher
from sandbox.exchange import Answer, Request, html_answer
from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.knobs import Knobs
from sandbox.pages import Pages
from sandbox.paystack import webhooks as paystack_webhooks
from sandbox.paystack.checkout import Checkout
from sandbox.paystack.vendor import paystack
from sandbox.settings import Settings
from sandbox.vendor import Route
from sandbox.verifier import verifier
from sandbox.vtpass import webhooks as vtpass_webhooks
from sandbox.vtpass.catalogue import Catalogue
from sandbox.vtpass.pay import Pay
from sandbox.vtpass.vendor import vtpass


def open_sandbox(settings: Settings, public_url: str) -> Sandbox:
    """Open the book and start delivering what an earlier run left in it."""
    book = Book(settings.book_path)
    clock, knobs, faults = Clock(book), Knobs(book, settings), Faults(book)
    policies = {
        paystack_webhooks.NAME: paystack_webhooks.policy(),
        vtpass_webhooks.NAME: vtpass_webhooks.policy(),
    }
    outbox = Outbox(book, clock, knobs, faults, policies)
    outbox.start()
    return Sandbox(book=book, clock=clock, knobs=knobs, faults=faults, outbox=outbox, public_url=public_url)


def assemble(sandbox: Sandbox) -> Dispatcher:
    """Build every vendor and the routes of the sandbox's own."""
    pages, catalogue = Pages(), Catalogue()
    checkout, pay = Checkout(sandbox, pages), Pay(sandbox, catalogue)
    vendors = (paystack(sandbox, checkout), vtpass(sandbox, catalogue, pay), verifier(sandbox))

    def about(_request: Request) -> Answer:
        return html_answer(pages.about())

    return Dispatcher(
        vendors=vendors,
        own_routes=(
            Route("GET", "/", "about", about),
            *Control(sandbox, vendors, checkout, pay).routes(),
        ),
        faults=sandbox.faults,
        knobs=sandbox.knobs,
        journal=Journal(sandbox.book, sandbox.clock),
    )
