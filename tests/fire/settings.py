"""The settings of a hammer's process: those of the tests, and the connection that it was told to use."""

import json
import os

from tests.settings import *  # noqa: F403

#: What the process is told, as JSON. Also to be imported without.
ORDERS = json.loads(os.environ.get("TENANTKIT_FIRE", "{}"))

if ORDERS:
    DATABASES = {"default": ORDERS["database"]}
    globals().update(ORDERS.get("told", {}))
    if "operators_apart" in ORDERS:
        TENANTKIT_WEB_MAY_OPERATE = False
        TENANTKIT_OPERATOR_DATABASE = ORDERS["operators_apart"]
