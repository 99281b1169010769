"""Bodies and answers of this app: ``fields``, ``people`` (accounts, sessions, PIN) and ``kyc``."""
