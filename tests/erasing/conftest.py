"""Files in a directory of the test's own, and caches whose keys name the tenant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _storage(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.TENANTKIT_LOOKUP_SECONDS = 0  # nobody has to wait until others have forgotten a tenant
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "erasing",
            "KEY_FUNCTION": "django_tenantkit.caches.tenant_key",
        }
    }
    cache.clear()
