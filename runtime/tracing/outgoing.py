"""The HTTP client of a traced worker: every call is a span, of which the server called is told."""

from typing import Any

import httpx

from activities._traced import innermost


class Outgoing(httpx.AsyncClient):
    """Names the server only: paths may hold a login."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As of AsyncClient."""
        with innermost.get().child(request.method, "http") as span:
            for name, value in span.headers().items():
                request.headers.setdefault(name, value)
            span.note(http__request__method=request.method, server__address=request.url.host)
            response = await super().send(request, **options)
            span.note(http__response__status_code=response.status_code)
            return response
