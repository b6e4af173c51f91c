"""Plain Django, which has one tenant, in the public schema."""

from .base import *  # noqa: F403
