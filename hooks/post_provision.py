"""Tells that an application was given to a user, changed or taken away, and whether that worked."""

from hooks.hook import SAMPLE_USER, Hook

HOOK = Hook(
    name="postProvision",
    purpose="Tells that an application was provisioned to a user.",
    fact=True,
    confirms=("preProvision",),
    sample={
        "policyMap": "email",
        "form": "",
        "applicationId": "620231fee789224ec1cec3dd",
        "roleList": [],
        "action": "Application Create",
        "user": SAMPLE_USER,
        "isSuccess": True,
        "uid": "5f36283bc193991db0990d3e",
    },
)
