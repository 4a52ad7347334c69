"""``echod serve``: the service in the foreground, without twistd's plugin lookup."""

import click
from twisted.application.service import ServiceMaker
from twisted.scripts import twistd

# By name, as the plugin does it: the options are the same, and nothing is
# imported before the reactor may be.
_MAKER = ServiceMaker("echod", "echod.tap", "", "serve")


class _ServerOptions(twistd.ServerOptions):  # type: ignore[name-defined,misc]
    """twistd's options, with echod as the one plugin there is."""

    loadedPlugins = {_MAKER.tapname: _MAKER}
    subCommands = [(_MAKER.tapname, None, lambda: _MAKER.options(), "")]

    def getSynopsis(self) -> str:
        return "Usage: echod"


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def serve(options: tuple[str, ...]) -> None:
    """Run the echo service. The options are those of `twistd echod`."""
    config = _ServerOptions()
    config.parseOptions(["--nodaemon", "--pidfile=", _MAKER.tapname, *options])
    twistd.runApp(config)


@click.command(
    name="check-config",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def check_config(context: click.Context, options: tuple[str, ...]) -> None:
    """Say what `echod serve` would listen on, and on what terms; bind nothing."""
    context.invoke(serve, options=("--check-config", *options))
