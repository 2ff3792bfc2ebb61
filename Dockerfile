# One image for the API, the worker, the migrations and the registry simulator; the command says which.

FROM python:3.11-slim-trixie AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock ./
# Only wheels: building a source distribution would run code that no hash in the lock covers.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --require-hashes --only-binary :all: --requirement requirements.lock

FROM python:3.11-slim-trixie
# Bytecode of the dependencies was written by pip; the container writes nothing, so that it can be read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A fixed number, so that policies that demand a non-root user can check it without reading /etc/passwd.
RUN groupadd --gid 10001 mipres \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mipres \
    # A new named volume takes its owner from here.
    && install --directory --owner 10001 --group 10001 --mode 700 /var/lib/mipres
WORKDIR /app
COPY --from=builder /opt/venv /opt/venv
COPY mipres/ mipres/
COPY activities/ activities/
COPY workflows/ workflows/
COPY api/ api/
COPY templates/ templates/
COPY static/ static/
COPY deploy/__init__.py deploy/current_build.py deploy/temporal_setup.py deploy/verdict.py deploy/worker_health.py deploy/
COPY dev/__init__.py dev/serving.py dev/
COPY dev/registry_simulator/ dev/registry_simulator/
COPY worker.py ./
# The revision, which `docker build --build-arg BUILD=$(git rev-parse --short HEAD)` knows and the files do not.
ARG BUILD=none
RUN echo "$BUILD" > mipres/build.txt
LABEL org.opencontainers.image.title="Registro MIPRES" \
    org.opencontainers.image.version=0.1.0 \
    org.opencontainers.image.revision=$BUILD
# COPY keeps the modes of the checkout, which under a strict umask only its owner could read.
RUN chmod -R a+rX /app
USER 10001:10001
EXPOSE 8000
# api/serving.py says why; every `uvicorn` of this image reads them.
ENV UVICORN_HTTP=api.serving:TimedHeads \
    UVICORN_H11_MAX_INCOMPLETE_EVENT_SIZE=32768 \
    UVICORN_WS=none \
    UVICORN_LIMIT_CONCURRENCY=4000 \
    UVICORN_LOG_CONFIG=api/uvicorn_logging.json
# No access log: it would keep the tokens of password links.
CMD ["uvicorn", "api.main:app", "--host", "0.0.0.0", "--port", "8000", \
     "--no-server-header", "--no-proxy-headers", "--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "10"]
