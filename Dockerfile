FROM python:3.11-slim

RUN useradd --create-home --uid 10001 seawall
WORKDIR /seawall

COPY requirements.lock .
RUN pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --requirement requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY config config
RUN pip install --no-cache-dir --no-index --no-deps --no-build-isolation . \
    && install --directory --owner=seawall var

USER seawall
ENV SEAWALL_JOURNAL__PATH=/seawall/var/seawall.db
VOLUME /seawall/var
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["seawall", "health"]
ENTRYPOINT ["seawall"]
CMD ["run"]
