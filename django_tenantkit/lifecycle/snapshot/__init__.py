"""Schemas made again from what the catalog says of a finished one, and compared with each other."""

from .comparing import differences, fingerprint
from .taking import Snapshot, take

__all__ = ["Snapshot", "differences", "fingerprint", "take"]
