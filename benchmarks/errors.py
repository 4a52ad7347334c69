"""What ends a whole run; what ends one measurement only."""

import click


class CannotMeasure(click.ClickException):
    """This machine, or what was asked for, allows no run at all."""


class Failed(Exception):
    """One subject did not do what one scenario asks; its reason is for the report."""
