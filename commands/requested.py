"""Says that a deed waits for another person, and how they approve it."""

from rich.text import Text

from commands.output import as_json, console
from runtime.four_eyes import Asked


def say_asked(asked: Asked, *, as_object: bool) -> None:
    """Prints it."""
    if as_object:
        print(as_json({"requested": asked.id, "expires_at": asked.expires_at}))
        return
    out = console()
    out.print(f"asked for; another person has to approve it until {asked.expires_at:%Y-%m-%d %H:%M} UTC:")
    out.print(Text(f'    ./hookledger approve {asked.id} --reason "…"', "cyan"), soft_wrap=True)
