"""Seeds are derived from what they are for; nothing touches a global random state."""

import hashlib


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from (seed, stage, …): the same parts give the same seed on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1
