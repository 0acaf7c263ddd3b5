# The service as it runs: Node strips the types, so there is nothing to build and one stage is enough.
# The exact version that the tests run on (the devDependency `node`), raised with it.
FROM node:24.21.0-slim

# MALLOC_ARENA_MAX: glibc's allocator keeps free memory per thread, else; two pools save 15 MB.
ENV NODE_ENV=production \
    DATA_DIR=/data \
    MALLOC_ARENA_MAX=2

WORKDIR /app

# Production packages only, and none of their install scripts: nothing that runs here needs one.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

COPY LICENSE ./
COPY supabase/migrations ./supabase/migrations
COPY src ./src

# The embedded database lives in /data when neither Supabase nor DATABASE_URL is set: mount a volume there to keep it.
# There is no VOLUME instruction, because Railway refuses images that have one.
RUN mkdir /data && chown node:node /data

USER node
EXPOSE 8080

# The image has no curl. A one-off command serves no HTTP; give it --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 8080) + '/health').then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]

# No shell and no npm in between, so that signals reach the service. The options keep it under 300 MB, see docs/benchmarks.md;
# they are those of `npm start`.
CMD ["node", "--max-semi-space-size=4", "--max-old-space-size=768", "src/main.ts"]
