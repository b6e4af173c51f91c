"""Plain Django, which has one tenant, in the public schema."""

import os

from .base import *  # noqa: F403
from .base import DATABASE

if "TENANTKIT_PEERS_CONTEXT" in os.environ:
    DATABASES = {"default": {**DATABASE, "ENGINE": "tests.benchmarks.peers.prefixed"}}
