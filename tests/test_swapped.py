"""A tenant model of the adopter's own, with its uid as its key, in a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.django_db
def test_a_swapped_tenant_model_with_a_uuid_key(tmp_path):
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.swapped.settings", "TENANTKIT_TEST_ENGINE": "sqlite"}
    environment.pop("TENANTKIT_TEST_DATABASE", None)
    environment.pop("DATABASE_URL", None)
    run = subprocess.run(
        [sys.executable, "-m", "tests.swapped.scenario", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "as expected", run.stderr
