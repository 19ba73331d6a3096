"""The honest bare reference: what a good engineer writes in an afternoon with FastAPI, PyJWT and asyncpg."""

import argparse
import csv
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

import asyncpg
import jwt
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request

SCHEMA = """
CREATE TABLE people (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    login text NOT NULL,
    email text,
    mobile text
);
CREATE INDEX ON people (tenant, login);
CREATE INDEX ON people (tenant, email);
CREATE INDEX ON people (tenant, mobile);
CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    hook text NOT NULL,
    login text,
    body jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
"""

CLASH = """
SELECT login = $2 AS login, email = $3 AS email
  FROM people WHERE tenant = $1 AND (login = $2 OR email = $3 OR mobile = $4) LIMIT 1
"""
RECORD = "INSERT INTO deliveries (tenant, hook, login, body) VALUES ($1, $2, $3, $4)"

Json = dict[str, Any]
Pool = Any
"""An asyncpg pool; the library has no types."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """One pool per process."""
    async with cast("Any", asyncpg).create_pool(os.environ["BARE_DATABASE_URL"], min_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@cache
def mailboxes() -> dict[str, str]:
    """The lookup table, read once."""
    with Path(os.environ["BARE_LOOKUP"]).open(encoding="utf-8", newline="") as file:
        return {row["key"]: row["value"] for row in csv.DictReader(file)}


async def caller(authorization: Annotated[str, Header()] = "") -> str:
    """The tenant of a valid token."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(
            token, os.environ["BENCH_SECRET"], algorithms=["HS256"], options={"require": ["exp"]}, leeway=30
        )
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error
    if claims.get("tenantId") != os.environ["BARE_TENANT"]:
        raise HTTPException(403)
    return claims["tenantId"]


async def store(request: Request) -> Pool:
    """The pool of the process."""
    return request.app.state.pool


Tenant = Annotated[str, Depends(caller)]
Store = Annotated[Pool, Depends(store)]


async def clash(pool: Pool, tenant: str, user: Json) -> str | None:
    """The platform's code for the first value that somebody else has, if any."""
    login = str(user["login"]).strip().lower()
    email = str(user.get("email", "")).strip().lower()
    mobile = str(user.get("mobile", "")).strip()
    row = await pool.fetchrow(CLASH, tenant, login, email, mobile)
    if row is None:
        return None
    return (
        "LoginAlreadyExist" if row["login"] else "EmailAlreadyExist" if row["email"] else "MobileAlreadyExist"
    )


async def record(pool: Pool, tenant: str, hook: str, payload: Json) -> None:
    """One row per delivery."""
    login = payload["request"]["user"]["login"]
    await pool.execute(RECORD, tenant, hook, login, json.dumps(payload))


@app.post("/webhook/validateUser")
async def validate_user(payload: Json, tenant: Tenant, pool: Store) -> Json:
    """Refuses a user whose login, e-mail or mobile is taken."""
    user = payload["request"]["user"]
    code = await clash(pool, tenant, user)
    await record(pool, tenant, "validateUser", payload)
    if code:
        return {"response": {"error": True, "message": code}}
    return {"response": {"data": user}}


@app.post("/webhook/postProvision")
async def post_provision(payload: Json, tenant: Tenant, pool: Store) -> Json:
    """Keeps what happened."""
    await record(pool, tenant, "postProvision", payload)
    return {"response": {}}


@app.post("/webhook/policyMap")
async def policy_map(payload: Json, tenant: Tenant, pool: Store) -> Json:
    """Answers what the table says for the person, else their own attribute, else the default."""
    request = payload["request"]
    value = mailboxes().get(request["user"].get("employeeId", ""))
    value = value or request["user"].get(request.get("cymmetrifield")) or request.get("defaultValue") or ""
    await record(pool, tenant, "policyMap", payload)
    return {"response": {"mappedValue": value}}


def serve(application: FastAPI, port: int) -> None:
    """One process on the fast loop and parser, without an access log, on loopback."""
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.bare", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    serve(app, parser.parse_args().port)
