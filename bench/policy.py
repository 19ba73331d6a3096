"""The rules that the bench's tenant has written: twelve for a person, and a table of ten thousand rows."""

from bench.traffic import TENANT

LOOKUP_ROWS = 10_000

HEADER = f"""
[tenants.{TENANT}.rules]
mode = "on"
zone = "Asia/Kolkata"
attributes = ["badge"]
"""
LOOKUP = f"""
[tenants.{TENANT}.rules.tables]
mailboxes = {{ csv = "mailboxes.csv" }}
[[tenants.{TENANT}.rules.policy_map]]
name = "mailbox"
target = "email"
value = 'lookup("mailboxes", user.employeeId, user.email)'
"""

_VALIDATE = {
    "needs-names": "required = ['firstName', 'lastName']",
    "needs-mail": "required = ['email']",
    "employee-id": "pattern = { employeeId = 'E[0-9.]+' }",
    "mobile": "pattern = { mobile = '[0-9+ -]{10,15}' }",
    "contractor-end-date": "when = 'user.userType == \"Contractor\"'\nrequired = ['endDate']",
    "end-after-start": "refuse = 'has(user.endDate) && has(user.startDate) && user.endDate < user.startDate'",
    "blocked-domain": "refuse = 'lower(user.email).endsWith(\"@blocked.example\")'",
    "known-country": 'refuse = \'!(user.country in ["India", "Nepal", "Sri Lanka"])\'',
    "intern-department": 'refuse = \'user.userType == "Intern" && user.department == "Finance"\'',
    "cost-centre": "refuse = '!has(user.attributes.costCenter)'",
}
_ENRICH = {
    "display-name": "displayName = 'user.firstName + \" \" + user.lastName'",
    "city": "city = '\"Pune\"'",
}

TWELVE = (
    HEADER
    + "".join(
        f'[[tenants.{TENANT}.rules.validate]]\nname = "{name}"\ncode = "Refused"\n{text}\n'
        for name, text in _VALIDATE.items()
    )
    + "".join(
        f'[[tenants.{TENANT}.rules.enrich]]\nname = "{name}"\non = ["validateUser"]\nset = {{ {text} }}\n'
        for name, text in _ENRICH.items()
    )
)
NAMES = (
    TWELVE
    + f"""
[[tenants.{TENANT}.rules.naming]]
name = "mail"
attribute = "email"
overwrite = true
on = ["preCreateUser"]
patterns = ['"namesake@example.com"']
"""
)


def lookup_csv() -> str:
    """The table's file."""
    return "key,value\n" + "".join(f"K{n},mailbox{n}@example.com\n" for n in range(LOOKUP_ROWS))
