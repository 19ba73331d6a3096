"""Options that several commands take, and how they are read."""

from datetime import datetime
from typing import Annotated

import typer

import settings as configuration
from commands.ending import stop
from commands.mistakes import refuse
from commands.times import parse_time
from settings.lacking import lacking
from settings.metrics import Process

AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON instead of text.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant, by its name in hookledger.toml.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the ledger for auditors.")]
Actor = Annotated[str | None, typer.Option(help="Who does this; os:YOU if left out.", show_default=False)]
Delivery = Annotated[str, typer.Argument(help="Receipt id of the delivery, from failures or ledger search.")]
Activity = Annotated[str | None, typer.Option(help="Only this activity of the delivery.")]
Request = Annotated[str, typer.Argument(metavar="REQUEST", help="Its id, from ./hookledger requests.")]
User = Annotated[str, typer.Argument(help="Login, platform id, or pseudonym from the ledger.")]


def load(process: Process | None = None) -> configuration.Settings:
    """The configuration, or its mistakes on standard error and exit code 2; what that process lacks is one, too."""
    from runtime.configuration import load_checked

    try:
        settings = load_checked()
        if found := [lack.mistake for lack in lacking(settings) if lack.process == process]:
            raise configuration.wrong_in(found)
        return settings
    except configuration.ConfigError as wrong:
        refuse(wrong)


def known_tenant(settings: configuration.Settings, tenant: str | None) -> str | None:
    """The tenant of an option, which must be configured."""
    if tenant is not None and tenant not in settings.tenants:
        stop(f"no tenant {tenant}; configured are {', '.join(settings.tenants)}")
    return tenant


def moment(text: str | None, option: str) -> datetime | None:
    """What an option for a time says."""
    try:
        return parse_time(text) if text else None
    except ValueError as wrong:
        stop(f"{option}: {wrong}")
