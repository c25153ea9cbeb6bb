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
    "repeated keys": "b: {a: 1, c: 2, a: 3}\n",
    "many keys": "".join(f"{i}: 1\n" for i in range(5000)) + "0: 1\n",
    "long list": "a: [" + "1," * 100_000 + "1]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_refused_at_once(text: str) -> None:
    began = time.thread_time()
    with pytest.raises(plain_yaml.ERRORS):
        plain_yaml.load(text)
    assert time.thread_time() - began < 2.0


def test_nested_lists_are_read() -> None:
    assert plain_yaml.load("a: {b: [[1.0, 2], [x, null]]}\n---\n") == {"a": {"b": [[1.0, 2], ["x", None]]}}


def test_repeated_keys_are_named_or_the_last_holds() -> None:
    text = "K: [1]\nD: [2]\nK: [3]\n"
    with pytest.raises(plain_yaml.ERRORS, match="it has K twice: keep one"):
        plain_yaml.load(text)
    assert plain_yaml.load(text, repeats=True) == {"K": [3], "D": [2]}
