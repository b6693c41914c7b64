# One image for proxy and worker. Debian, not Alpine: Temporal's native bridge needs glibc.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY shared shared
COPY workflows workflows
COPY activities activities
COPY worker worker
COPY proxy proxy
COPY ctl ctl
COPY engine engine
COPY up up
COPY bench bench
# The bridge ships for five platforms; one is enough.
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
  && cd node_modules/@temporalio/core-bridge/releases \
  && find . -mindepth 1 -maxdepth 1 ! -name "$(node -p "process.arch === 'arm64' ? 'aarch64' : 'x86_64'")-unknown-linux-gnu" -exec rm -r {} +

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 7700
ENTRYPOINT ["node", "dist/up/main.js"]
CMD ["proxy"]
