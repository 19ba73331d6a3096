"""One activity that calls another server, and one that is refused."""

from activities import Event, Hook, Outcome, Refused, Tools, activity


@activity(on=Hook.POST_PROVISION)
async def call_desk(event: Event, tools: Tools) -> Outcome:
    """Tells a server, under a path that names the person."""
    answer = await tools.http.get(f"{tools.settings['url']}/{event.user['login']}")
    return Outcome("called", {"status": answer.status_code})


@activity(on=Hook.POST_PROVISION)
async def complain(event: Event, tools: Tools) -> Outcome:
    """Is refused, in words that name the person."""
    raise Refused(f"{event.user['login']} does not fit")
