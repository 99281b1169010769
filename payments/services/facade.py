"""``PaymentService``: the names by which other code speaks of funding."""

from payments.services.inbox import receive_webhook, verify_webhook_signature
from payments.services.intents import create_payment_intent
from payments.services.simulation import simulate_payment, simulate_payment_success
from payments.services.webhooks import process_payment_webhook


class PaymentService:
    """Stateless; each method says where its transaction begins."""

    create_payment_intent = staticmethod(create_payment_intent)
    verify_webhook_signature = staticmethod(verify_webhook_signature)
    receive_webhook = staticmethod(receive_webhook)
    process_payment_webhook = staticmethod(process_payment_webhook)
    simulate_payment = staticmethod(simulate_payment)
    simulate_payment_success = staticmethod(simulate_payment_success)
