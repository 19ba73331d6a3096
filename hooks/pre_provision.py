"""Comes before an application is given to a user, changed or taken away."""

from hooks.hook import SAMPLE_USER, Hook

HOOK = Hook(
    name="preProvision",
    purpose="Comes before an application is provisioned to a user.",
    sample={
        "policyMap": "email",
        "form": "",
        "applicationId": "620231fee789224ec1cec3dd",
        "roleList": [],
        "action": "Application Create",
        "user": SAMPLE_USER,
    },
)
