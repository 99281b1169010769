"""Tamper evidence: a keyed chain of hashes over closed ranges of the journal.

``canonical`` writes facts as bytes, ``reading`` reads a range in its order, ``chain`` makes the links and
``verification.seals`` proves them again. The chain runs beside the hot path: a job, behind the watermark of the
entries.
"""
