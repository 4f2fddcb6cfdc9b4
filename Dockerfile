# The worker, the simulator and the command line in one image. It has to have glibc: Temporal's SDK has no build for musl,
# so images based on Alpine do not work.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workflows workflows
COPY activities activities
RUN npm run build && npm prune --omit=dev

FROM node:22-bookworm-slim
# The SDK trusts the certificates of the system, and slim images have none.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json LICENSE ./
COPY examples examples
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
ENV NODE_ENV=production \
  NODE_OPTIONS="--enable-source-maps --max-old-space-size=1536" \
  HAULOUT_CONFIG=/etc/haulout/haulout.yaml \
  HAULOUT_WORKFLOW_BUNDLE=/app/dist/workflow-bundle.js
USER node
CMD ["node", "dist/src/worker.js"]
