"""A stand-in for VTpass: catalogue, merchant-verify, pay, requery, balance and unsigned webhooks."""
