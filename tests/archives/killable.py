"""`python -m tests.archives.killable WORK FUNCTION begin|end`: does WORK, stops before or after the work of FUNCTION,
says so, and waits to be killed."""

from __future__ import annotations

import json
import os
import pkgutil
import sys
from unittest.mock import patch

import django
from django.test import override_settings

from tests.lifecycle.killable import stopping


def main(work: str, arguments: str, function: str, moment: str) -> None:
    django.setup()
    from tests.archives import works
    from tests.archives.conftest import KEYS

    with (
        override_settings(TENANTKIT_ARCHIVE_KEYS=KEYS, MEDIA_ROOT=os.environ.get("MEDIA", "")),
        patch(function, stopping(pkgutil.resolve_name(function), moment)),
    ):
        getattr(works, work)(**json.loads(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
