# The stream as a service: `docker build -t lcclf .`, then the settings of the survey's steps (docs/moving.md).
FROM node:22-bookworm-slim AS build
WORKDIR /lcclf
COPY . .
# docker build --build-arg SOURCE_COMMIT=$(git rev-parse HEAD): what lcclf version --json says
ARG SOURCE_COMMIT=
RUN npm ci --no-audit --no-fund && npm run build \
 && onnxruntime="onnxruntime-node@$(node -p 'require("./package.json").devDependencies["onnxruntime-node"]')" \
 && npm prune --omit=dev --no-audit --no-fund \
 # --engine onnx is an optional peer; its install script would fetch GPU libraries from elsewhere
 && npm install --no-save --omit=dev --ignore-scripts --no-audit --no-fund "$onnxruntime" \
 # onnxruntime-node brings the binaries of every platform: 288 MB, of which one folder is used
 && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d ! -path "*/linux/$(node -p process.arch)" -exec rm -rf {} + \
 && find node_modules \( -name '*.map' -o -name '*.md' -o -name '*.d.ts' \) -type f -delete

FROM node:22-bookworm-slim
ENV NODE_ENV=production LCCLF_HOME=/var/lib/lcclf
# large buffers go back to the system at once: a stream's memory rises less before it comes to rest
ENV MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
RUN mkdir -p /var/lib/lcclf && chown node:node /var/lib/lcclf
WORKDIR /lcclf
COPY --from=build /lcclf/package.json /lcclf/oclif.manifest.json /lcclf/LICENSE ./
COPY --from=build /lcclf/bin/run.js bin/run.js
COPY --from=build /lcclf/dist dist
COPY --from=build /lcclf/samples/model samples/model
COPY --from=build /lcclf/node_modules node_modules
RUN ln -s /lcclf/bin/run.js /usr/local/bin/lcclf
USER node
# models: mount a store here, or a volume that keeps what is pulled at the start
VOLUME /var/lib/lcclf
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["lcclf"]
CMD ["stream", "--metrics-port", "9464"]
