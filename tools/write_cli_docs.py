"""Writes docs/cli.md from the options of `loftr-ros`: python tools/write_cli_docs.py

Run it after every change of an option; a test compares.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path

from loftr_ros.cli import COMMANDS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
HEAD = """\
# Commands

Written from the code by `tools/write_cli_docs.py`; do not edit. `--help` after the name of a command prints the same.

Exit codes: 0 for a result, 1 for none (no frame was tracked, an error in what was checked), 2 for an error of the user,
which is one line that begins with `loftr-ros: error:`, 130 after Ctrl-C without a result.
"""


def cli_markdown() -> str:
    """Return the page: a section per command, with tables of its arguments."""
    lines = [HEAD]
    for name, summary in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"loftr-ros {name}", description=f"{summary[0].upper()}{summary[1:]}.")
        importlib.import_module(f"loftr_ros.commands.{name}").add_arguments(parser)
        lines += _section(parser, level=2)
    return "\n".join(lines)


def _section(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    """Yield the lines about one command, then those about its own commands."""
    yield from (f"{'#' * level} {parser.prog}", "")
    if parser.description:
        yield from (parser.description, "")
    # argparse has no public list of what was added. Its first two groups are positional arguments and options.
    plain, titled = parser._action_groups[:2], parser._action_groups[2:]
    yield from _table([action for group in plain for action in group._group_actions], parser)
    for group in titled:
        yield from (f"**{group.title[0].upper()}{group.title[1:]}**", "") if group.title else ()
        yield from _table(group._group_actions, parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _section(command, level + 1)


def _table(actions: list[argparse.Action], parser: argparse.ArgumentParser) -> Iterator[str]:
    arguments = [action for action in actions if _is_argument(action)]
    if arguments:
        yield from ("| argument | description |", "|---|---|")
        yield from (f"| `{_call(action)}` | {_description(action, parser)} |" for action in arguments)
        yield ""


def _is_argument(action: argparse.Action) -> bool:
    return not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction))


def _call(action: argparse.Action) -> str:
    """Return the argument as it is typed, such as `--fps FPS`."""
    words = [", ".join(action.option_strings), _value(action)]
    return " ".join(filter(None, words)).replace("|", "\\|")


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    value = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper())
    return {"?": f"[{value}]", "+": f"{value} ..."}.get(str(action.nargs), value)


def _description(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    return text.replace("|", "\\|") + (" (required)" if action.required and action.option_strings else "")


if __name__ == "__main__":
    PAGE.write_text(cli_markdown())
