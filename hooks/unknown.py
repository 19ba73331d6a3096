"""Any other name under the prefix: the platform grows hooks between releases (CONTRACT B1.2)."""

from hooks.hook import Hook

UNKNOWN = Hook(
    name="unknown",
    purpose="Any hook that this version does not know.",
    about_user=False,
    repeats_are_suspect=False,
)
