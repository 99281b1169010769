"""A stand-in for the payment gateways, the biller aggregator and the identity verifier.

It runs as its own process with its own book and speaks the vendors' wire formats, so that an adapter changes
only its base URL. It imports nothing of the wallet and the wallet imports nothing of it: what the two know of
each other goes over HTTP, as with the real vendors.
"""
