"""A Python session of a page: runs inside its project, and checks each block as doctest does. Blocks come in
as lines of JSON and share their names; what failed goes out the same way."""

import doctest
import json
import sys

import django

django.setup()
names: dict[str, object] = {}
runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
for line in sys.stdin:
    session = doctest.DocTestParser().get_doctest(json.loads(line), names, "session", None, 0)
    session.globs = names  # get_doctest() has made a copy
    said: list[str] = []
    runner.run(session, out=said.append, clear_globs=False)
    print(json.dumps("".join(said)), flush=True)
