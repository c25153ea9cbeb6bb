"""Prints the findings on a page of 80 columns, complete without color."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from loftr_ros.checkup.findings import Finding, Level, Report

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_WIDTH = 80
_MARKS = {Level.OK: ("ok", "green"), Level.WARNING: ("WARN", "bold yellow"), Level.ERROR: ("ERROR", "bold red")}


def print_page(report: Report, console: Console | None = None) -> None:
    """Print all findings by subject, and a summary line of warnings and errors."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    table = Table(show_header=False, box=None, padding=(0, 1, 0, 0))
    table.add_column(min_width=5)
    table.add_column(min_width=13, max_width=16)
    table.add_column(overflow="fold")
    for subject, findings in groupby(report.findings, key=lambda finding: finding.subject):
        table.add_row("", "", Text(subject, style="bold underline"))
        for finding in findings:
            mark, style = _MARKS[finding.level]
            table.add_row(Text(mark, style=style), Text(finding.name), _cell(finding))
    title = f"{report.source}, checked as {report.mode}" if report.mode else report.source
    console.print(Text(title, style="bold"), width=min(console.width, _WIDTH), overflow="fold")
    console.print(table, width=min(console.width, _WIDTH))
    console.print(Text(last_line(report), style=_worst_style(report)), width=min(console.width, _WIDTH))


def last_line(report: Report) -> str:
    """Return the number and names of errors and warnings."""
    warnings, errors = report.at(Level.WARNING), report.at(Level.ERROR)
    names = ", ".join(dict.fromkeys(finding.name for finding in (*errors, *warnings)))
    counts = f"{_counted(len(errors), 'error')}, {_counted(len(warnings), 'warning')}"
    return f"{counts}: {names}" if names else f"{counts}: all is well"


def _cell(finding: Finding) -> Text:
    from rich.text import Text

    text = Text(finding.figure)
    if finding.advice:
        text.append(f"\n-> {finding.advice}", style=_MARKS[finding.level][1].removeprefix("bold "))
    return text


def _worst_style(report: Report) -> str:
    worst = next((level for level in (Level.ERROR, Level.WARNING) if report.at(level)), Level.OK)
    return _MARKS[worst][1]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
