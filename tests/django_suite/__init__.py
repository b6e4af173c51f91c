"""Django's own tests, run twice: with every test model scoped by our backend inside one tenant, and
with the same models on Django's plain backend. No test may fail in the first run only.

    python -m tests.django_suite [labels of Django's tests]

    source.py     Django's source distribution, which has the tests
    labels.py     the apps whose tests are run
    settings.py   the settings of a run         world.py      the process of a run
    recording.py  the outcome of every test     expected.py   known differences, each with its reason
"""
