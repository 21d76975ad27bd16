# The whole program for the CPU. Build:  docker build -t pinwatch .
# Other models than those that ship, and data, are mounted: see docker-compose.yml.
FROM python:3.11-slim

# What OpenCV's wheel loads from the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libxcb1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/pinwatch
COPY pyproject.toml README.md LICENSE ./
COPY configs configs
COPY pipeline pipeline
COPY gallery gallery
COPY audit audit
COPY workers workers
COPY training training
RUN pip install --no-cache-dir '.[cpu,kafka,postgres,console]' \
    && pip install --no-cache-dir --no-deps retinaface-pytorch==0.0.7

RUN useradd --create-home --uid 10001 pinwatch \
    && install --directory --owner=pinwatch /data /models
USER pinwatch
WORKDIR /data
ENV PINWATCH_DATA=/data \
    PINWATCH_MODELS=/models \
    PYTHONUNBUFFERED=1
VOLUME ["/data"]
# The console; readers' pictures; metrics and health of workers.
EXPOSE 8080 9500 9400

HEALTHCHECK --interval=2m --timeout=60s --start-period=60s CMD ["pinwatch", "doctor"]
ENTRYPOINT ["pinwatch"]
CMD ["--help"]
