"""A tenant with rules of every kind, for the commands that explain them."""

from pathlib import Path

from settings import Settings, Store
from tests.support import write_configuration

RULES = """
[tenants.as100.rules]
mode = "on"
zone = "Asia/Kolkata"
include = ["joiners.toml"]
"""

JOINERS = """
[tables]
ou = { rows = { Finance = "OU=Finance", Sales = "OU=Sales" } }

[[validate]]
name = "contractor-end-date"
when = 'user.userType == "Contractor"'
required = ["endDate"]
code = "EndDateRequired"

[[validate]]
name = "blocked-domain"
mode = "shadow"
refuse = 'user.email.endsWith("@blocked.example")'
code = "EmailDomainBlocked"

[[validate]]
name = "no-move"
on = ["validateUpdateUser"]
refuse = 'changed("department")'
code = "NoMove"

[[validate]]
name = "quiet"
mode = "shadow"
refuse = 'user.department == "Nowhere"'
code = "Nowhere"

[[enrich]]
name = "display-name"
on = ["validateUser", "preCreateUser"]
set = { displayName = 'user.firstName + " " + user.lastName' }

[[naming]]
name = "mail"
attribute = "email"
ascii = true
patterns = ['slug(user.firstName, "") + "@example.com"']

[[policy_map]]
name = "ou"
target = "OU"
value = 'lookup("ou", user.department)'
"""


def with_rules(directory: Path, store: Store, joiners: str = JOINERS) -> Settings:
    """The configuration with these rules, in a file of their own beside it."""
    (directory / "joiners.toml").write_text(joiners)
    return write_configuration(directory, store, rules=RULES)
