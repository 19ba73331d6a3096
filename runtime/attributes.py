"""The search attributes of UserLifecycle: the one list that code, servers and the probe read."""

from temporalio.common import SearchAttributeKey

TENANT = SearchAttributeKey.for_keyword("TenantId")
LOGIN = SearchAttributeKey.for_keyword("Login")

SEARCH_ATTRIBUTES: dict[str, str] = {key.name: "Keyword" for key in (TENANT, LOGIN)}
