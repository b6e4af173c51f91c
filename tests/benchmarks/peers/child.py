"""The process of a contender: a line of JSON in, what is to be done; a line of JSON out, what came of it."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # commands print
    import django

    django.setup()
    side = importlib.import_module(os.environ["TENANTKIT_PEERS_SIDE"]).SIDE()
    gc.freeze()
    for line in sys.stdin:
        wanted = json.loads(line)
        gc.collect()
        answer = getattr(side, wanted["do"])(**wanted["arguments"])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
