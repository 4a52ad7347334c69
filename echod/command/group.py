"""``echod``: all its subcommands."""

import os
import sys
from typing import NoReturn

import click

from .. import __version__
from ..errors import EX_IOERR, EX_USAGE, EchodError, explain
from .certificate import certificate
from .output import complain
from .send import send
from .serve import check_config, serve


@click.group(name="echod", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="echod", message="%(prog)s %(version)s")
def echod() -> None:
    """An echo service that returns every byte, and the client that goes with it."""


echod.add_command(serve)
echod.add_command(check_config)
echod.add_command(send)
echod.add_command(certificate)


def main() -> NoReturn:
    """Run the command that the process's arguments name, and end the process."""
    try:
        echod.main(prog_name="echod", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = EX_USAGE
    except click.ClickException as error:
        complain(error.format_message())
        code = EX_USAGE
    except EchodError as error:
        complain(str(error))
        code = error.exit_code
    except OSError as error:
        # Only click itself writes through Python's buffers: its help and version.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        complain(f"standard output: {explain(error)}; want a place for the answer")
        code = EX_IOERR
    except click.Abort:
        code = 130
    else:
        code = 0
    sys.exit(code)
