"""What is done: one file per activity. Every module here that holds an Activity is discovered, planned and run.

A tenant's own file needs only this import:

    from activities import Event, Hook, Outcome, Tools, activity
"""

from activities._activity import Activity, Outcome, activity, days, hours, minutes, seconds
from activities._errors import Refused, Unavailable
from activities._event import Event
from activities._tools import Tools
from hooks import Hook

__all__ = [
    "Activity",
    "Event",
    "Hook",
    "Outcome",
    "Refused",
    "Tools",
    "Unavailable",
    "activity",
    "days",
    "hours",
    "minutes",
    "seconds",
]
