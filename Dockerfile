# Hookledger's image: one for api, worker and every job. Its code belongs to root, it runs as nobody in particular.

FROM python:3.11.15-slim-bookworm AS build
WORKDIR /app
COPY deploy/uv.txt deploy/
RUN pip install --no-cache-dir --require-hashes --requirement deploy/uv.txt
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
COPY pyproject.toml uv.lock .python-version ./
RUN uv sync --locked --no-dev

FROM python:3.11.15-slim-bookworm
RUN groupadd --gid 10001 hookledger \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hookledger
# A new volume takes the owner of the folder that it is mounted on.
RUN install --directory --owner=10001 --group=10001 --mode=700 /var/lib/hookledger/spool /var/lib/hookledger/vault
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY . .
# The root file system is read-only where this runs, so what Python would write there is written here.
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
RUN python -m compileall -q -x '/\.venv/' . && python -c "import api.serve, runtime.worker"
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["python", "cli.py"]
CMD ["--help"]
