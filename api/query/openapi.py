"""A route as the OpenAPI document shows it, made from the models that also read its parameters."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.query.desk import Handler
from settings.query import Role

DOCUMENT = "/ledger/openapi.json"

_PROBLEM: dict[str, Any] = {"description": "Problem (RFC 9457)", "content": {"application/problem+json": {}}}
_FAILURES = dict.fromkeys((400, 401, 403, 404, 406, 409, 413, 415, 422, 429, 503), _PROBLEM)
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key (hlk_…) or an access token."}
}


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked or done. `parameters` are of the query for GET, of the body for POST."""

    method: Literal["GET", "POST"]
    path: str
    name: str
    title: str
    least: Role
    handler: Handler
    parameters: Mapping[str, Any] | None = None
    """A JSON schema of an object."""
    answers: tuple[str, ...] = ("application/json",)
    description: str = ""


class _Direct(APIRoute):
    """Calls the endpoint with the request itself: FastAPI's own parsing would come before anybody was let in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def add(app: FastAPI, route: Route, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
    """Adds a route to the application and its document."""
    app.router.route_class = _Direct
    shown: dict[str, Any] = {"security": [{"bearer": []}], "x-least-role": route.least}
    if route.parameters is not None:
        if route.method == "GET":
            shown["parameters"] = list(_in_query(route.parameters))
        else:
            content = {"application/json": {"schema": route.parameters}}
            shown["requestBody"] = {"required": True, "content": content}
    app.router.add_api_route(
        route.path,
        endpoint,
        methods=[route.method],
        name=f"{route.name}" if route.method == "GET" else f"{route.name} ({route.method})",
        summary=route.title,
        description=route.description or None,
        response_class=Response,
        responses={200: {"content": {kind: {} for kind in route.answers}}, **_FAILURES},
        openapi_extra=shown,
    )


def shape_of(
    model: type[BaseModel], more: Mapping[str, Any] | None = None, optional: str = ""
) -> dict[str, Any]:
    """The JSON schema of a model, with further properties. `optional` need not be given though the model wants it."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema["properties"] = schema.get("properties", {}) | dict(more or {})
    schema["required"] = [name for name in schema.get("required", ()) if name != optional]
    return schema


def with_security(app: FastAPI) -> None:
    """Names what every call bears, once, in the document."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        document.setdefault("components", {})["securitySchemes"] = _SECURITY
        return document

    app.openapi = openapi


def _in_query(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, property_ in schema.get("properties", {}).items():
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": property_.get("description", ""),
            "schema": {key: value for key, value in property_.items() if key != "description"},
        }
