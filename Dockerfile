# One image for every program; docker-compose.yml says which one runs. .dockerignore lists what goes in.

FROM python:3.12-slim AS packages
# Where pip looks, when that isn't its own default: docker compose passes the caller's on.
ARG PIP_INDEX_URL
COPY requirements.lock /
RUN python -m venv --without-pip /venv \
    && python -m pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
       --no-input --require-hashes --only-binary :all: --requirement /requirements.lock

FROM python:3.12-slim
COPY --from=packages /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
COPY . .
# A volume mounted on the data folder takes over its owner; the rest is the program's to read only.
RUN python -m compileall -q . \
    && useradd --system --uid 10001 --no-create-home payments \
    && install --directory --owner payments --mode 0700 /var/lib/payments
USER payments
ENTRYPOINT ["python", "-m", "cli"]
CMD ["ingress"]
