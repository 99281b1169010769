"""Receipts that anybody can verify: a code that only we can make, and what it says about a movement today."""
