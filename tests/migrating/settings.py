"""The settings of a process that works on a project of `project.py`."""

import json
import os
import sys

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

_GIVEN = json.loads(os.environ["TENANTKIT_TEST_EVOLVING"])
sys.path.insert(0, _GIVEN["root"])

INSTALLED_APPS = [*INSTALLED_APPS, "tests.migrating.evolving"]
MIGRATION_MODULES = {"evolving": _GIVEN["package"]}
TENANTKIT_ISOLATIONS = _GIVEN["isolations"]
TENANTKIT_ROW_SCHEMA = "rows"
TENANTKIT_TENANT_APPS = _GIVEN["tenant_apps"]
TENANTKIT_SERVERS = _GIVEN.get("servers", {})
