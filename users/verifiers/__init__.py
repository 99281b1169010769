"""Identity verifiers: what they are asked, what they may answer, and the adapters that ask."""
