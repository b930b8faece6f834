"""scripts/course: the learner's commands, each a function that COMMANDS names."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from course_tools import notebook
from course_tools.cli import Parser


@dataclass(frozen=True)
class Command:
    """One word of the command line."""

    what: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS = {
    "notebook": Command(notebook.WHAT, notebook.add_arguments, notebook.run),
}


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    return COMMANDS[options.command].run(options)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser("course", "The learner's commands.")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_command_parser
    )
    for name, command in COMMANDS.items():
        command.add_arguments(commands.add_parser(name, help=command.what))
    return parser.parse_args(arguments)


def _command_parser(prog: str, **_: object) -> Parser:
    """The parser of one command, whose errors and help say "scripts/course NAME"."""
    name = prog.removeprefix("scripts/")
    what = COMMANDS[name.split()[-1]].what
    return Parser(name, f"{what[0].upper()}{what[1:]}.")
