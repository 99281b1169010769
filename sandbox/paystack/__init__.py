"""A stand-in for Paystack: initialize, the hosted checkout page, verify, list, banks and signed webhooks."""
