# Three images from one build: --target function, provider and runner. Each is one bundled file on a slim Node, run as
# uid 2000, and write nowhere: start them with a read-only root file system.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=optional && node node_modules/esbuild/install.js
COPY . .
RUN node package/build.ts

FROM node:24-bookworm-slim AS base
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
USER 2000:2000

FROM base AS function
COPY --from=build /src/dist/function.js ./
EXPOSE 9443
ENTRYPOINT ["node", "/app/function.js"]

FROM base AS provider
COPY --from=build /src/dist/provider.js ./
EXPOSE 8080
ENTRYPOINT ["node", "--max-semi-space-size=2", "--optimize-for-size", "/app/provider.js"]

FROM base AS runner
COPY --from=build /src/dist/runner.js ./
ENTRYPOINT ["node", "--max-semi-space-size=2", "--optimize-for-size", "--no-concurrent-recompilation", "--no-concurrent-sparkplug", "/app/runner.js"]
