"""The subset of YAML for calibrations and settings: its cost is bounded."""

import time

import pytest

from loftr_ros import plain_yaml

HOSTILE = {
    "aliases": "a: &a [1, 1]\nb: &b [*a, *a]\n",
    "lists": "[" * 100_000,
    "mappings": "{a: " * 3000,
    "items": "- " * 3000,
    "lines": "".join(" " * level + "a:\n" for level in range(400)),
    "long": "a: 1\n" * 100_000,
    "documents": "a: 1\n---\na: 2\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_refused_at_once(text: str) -> None:
    began = time.thread_time()
    with pytest.raises(plain_yaml.ERRORS):
        plain_yaml.load(text)
    assert time.thread_time() - began < 2.0


def test_nested_lists_are_read() -> None:
    assert plain_yaml.load("a: {b: [[1.0, 2], [x, null]]}\n---\n") == {"a": {"b": [[1.0, 2], ["x", None]]}}
