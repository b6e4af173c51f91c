"""What the comparison of the two runs says."""

import pytest

from tests.django_suite.__main__ import report

PASSED, FAILED = ("passed", ""), ("failed", "AssertionError: 1 != 2")


def verdict(tenant, plain, expected=(), *, complete=True):
    return report({"tenant": tenant, "plain": plain}, dict.fromkeys(expected, "a reason"), complete=complete)


@pytest.mark.parametrize("here", [{"a": PASSED, "b": FAILED}, {"a": PASSED}], ids=["failed", "did not run"])
def test_what_only_the_plain_world_passes_is_a_failure(here, capsys):
    assert verdict(here, {"a": PASSED, "b": PASSED}) == 1
    assert "FAILS INSIDE A TENANT  b" in capsys.readouterr().out


def test_what_fails_in_both_worlds_is_none():
    assert verdict({"a": PASSED, "b": FAILED}, {"a": PASSED, "b": FAILED}) == 0


def test_a_listed_difference_is_none():
    assert verdict({"a": PASSED, "b": FAILED}, {"a": PASSED, "b": PASSED}, ["b"]) == 0


def test_a_listed_test_that_passes_is_a_failure(capsys):
    assert verdict({"a": PASSED}, {"a": PASSED}, ["a"]) == 1
    assert "LISTED, NO DIFFERENCE  a" in capsys.readouterr().out


def test_a_partial_run_says_nothing_about_the_rest_of_the_list():
    assert verdict({"a": PASSED}, {"a": PASSED}, ["b"], complete=False) == 0


def test_a_run_in_which_nothing_passes_is_a_failure():
    assert verdict({"a": FAILED}, {"a": FAILED}) == 1
