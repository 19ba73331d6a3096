"""What to do next about a tenant: remedies for calls turned away, and what to press in the platform."""

from collections.abc import Iterator, Mapping

from commands.doctor.findings import Step
from ledger.operate import OPERATOR
from ledger.overview import Refusal, Standing
from settings import Api, Tenant
from settings.platform import LOOPBACK

SCREEN = "Configurations > General Config > Webhooks Configuration"
"""Of the platform (CONTRACT B1.2)."""
APPLICATIONS = "Provisioning > Hook Configurations of each application: switch on PRE HOOK and POST HOOK"
MAPPINGS = "Enable Hook on the policy map's entries whose value Hookledger shall give"
REMOVALS = "Deprovision rule: choose Hook Rule as its basis"

_PROVISIONING = frozenset({"preProvision", "postProvision"})
_PROBES = frozenset({"test", "unknown", "degraded", OPERATOR})
_TOKEN = "tenants.{tenant}.token"  # noqa: S105 - where it is configured
_REMEDIES = {
    "bad_signature": "Make both sides the same: Secret on the platform's screen, and the text behind "
    f"{_TOKEN}.keys. Where the words above name an encoding or white space, change just that.",
    "unknown_algorithm": f"Set {_TOKEN}.algorithm to the one that the platform signs with.",
    "no_expiry": "Set Token expiry minutes on the platform's screen.",
    "expired": f"Compare this host's clock with the world's; then raise Token expiry minutes or {_TOKEN}.leeway.",
    "not_yet_valid": f"Set this host's clock (NTP); {_TOKEN}.leeway forgives some seconds.",
    "too_long_a_life": f"Lower Token expiry minutes on the platform's screen, or raise {_TOKEN}.max_life.",
    "wrong_tenant": f"Set {_TOKEN}.tenant_id to the tenantId that the words above name, if it is yours.",
    "missing_token": "If it was the platform: a proxy in front drops the Authorization header. Let it through.",
    "several": "A proxy in front adds an Authorization header of its own: let it pass the platform's alone.",
    "malformed": "The caller is not the platform, or a proxy in front changes the Authorization header.",
    "proof_refused": f"The platform does not accept its own token: check {_TOKEN}.proof.url.",
    "address": "If it was the platform: add its address to api.allow or tenants.{tenant}.allow, or name the proxy in front "
    "in api.forwarded_allow_ips.",
    "proof_unavailable": f"Let this host reach {_TOKEN}.proof.url.",
}
_OF_THE_BODY = "The token was good, the call was not: find its receipt in the api's log."


def remedy(refusal: Refusal, tenant: str) -> str:
    """What to do about a call turned away. `tenant` is its name in the configuration."""
    return _REMEDIES.get(refusal.reason, _OF_THE_BODY).format(tenant=tenant)


def is_current(standing: Standing) -> bool:
    """Whether the newest refusal has not been followed by a call that was let in."""
    last = standing.last_delivery
    return bool(standing.refusals) and (last is None or standing.refusals[0].at > last)


def next_steps(name: str, tenant: Tenant, api: Api, standing: Standing) -> Iterator[Step]:
    """In the order in which they help."""
    if standing.braked_since:
        yield Step(
            "The brake answers every runDeprovision with false. Look at ./hookledger ledger search --hook "
            f'runDeprovision, then: ./hookledger brake release --tenant {name} --reason "…"'
        )
    if is_current(standing):
        yield Step(remedy(standing.refusals[0], name))
        yield Step(f"Restart the api if you changed its side. Then, in the platform: {SCREEN}, Save & test.")
        return
    if not standing.hooks:
        yield Step(f"Nothing has come yet. In the platform: {SCREEN}", screen_fields(tenant, api))
        yield Step(
            "Press Save & test, then run ./hookledger doctor again: it shows the call, or why it failed."
        )
        return
    seen = standing.hooks.keys()
    if not seen - _PROBES:
        yield Step(
            "The test call was let in. Create or change a user in the platform to see the first hooks."
        )
    if not seen & _PROVISIONING:
        yield Step(f"No provisioning hook yet. In the platform: {APPLICATIONS}.")
    if "policyMap" not in seen:
        yield Step(f"No policyMap yet. If you want it, in the platform: {MAPPINGS}.")
    if "runDeprovision" not in seen:
        yield Step(f"No runDeprovision yet. If you want it, in the platform: {REMOVALS}.")

    if tenant.rules.by_mode(unique.mode for unique in tenant.unique).get("shadow"):
        yield Step(
            f"Rules are in shadow: recorded, and refusing nobody. ./hookledger rules report --tenant {name} "
            'shows whom they would have refused; then set mode = "on" and reload (docs/rules.md).'
        )


def screen_fields(tenant: Tenant, api: Api) -> Mapping[str, str]:
    """The fields of the platform's screen, with what to enter."""
    listens = f"this listener is at {api.host}:{api.port}"
    if api.host in LOOPBACK:
        listens += ", which only this machine reaches"
    entered = "the platform's own key: this tenant proves its tokens by use"
    if tenant.token.keys:
        entered = (
            f"the text behind key {tenant.token.keys[0].name} of hookledger.toml, which is never shown here"
        )
    most = max(int(tenant.token.max_life // 60), 1)
    return {
        "Protocol": "https (fixed)",
        "Method": "POST (fixed)",
        "Server": f"host:port at which the platform reaches it; {listens}",
        "Service context path": api.prefix.removeprefix("/") or "leave it empty",
        "Secret": entered,
        "Token expiry minutes": f"1 as it stands, at most {most}",
    }
