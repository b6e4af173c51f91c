"""One process of the hammer. It is told what to do in TENANTKIT_FIRE, and prints what it saw as JSON."""

import json
import sys

import django

django.setup()

from tests.fire.hammer import run  # noqa: E402 - models need the set-up above

json.dump(run(), sys.stdout)
