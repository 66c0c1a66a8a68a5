# Red Hat's Node.js images on UBI: free to use and to pass on, patched by Red Hat, and from a registry that OpenShift
# clusters pull from anyway. An air-gapped site names its own copies:
#   --build-arg BUILDER_IMAGE=registry.example.com/ubi9/nodejs-24 --build-arg RUNTIME_IMAGE=…
# Any image with a shell, Node.js and npm builds, and any image with Node.js 24 on its PATH runs it: no shell is needed.
ARG BUILDER_IMAGE=registry.access.redhat.com/ubi9/nodejs-24
ARG RUNTIME_IMAGE=registry.access.redhat.com/ubi9/nodejs-24-minimal

FROM ${BUILDER_IMAGE} AS build
USER 0
WORKDIR /build
COPY package.json package-lock.json ./
# No package runs a script: ssh2's would compile two accelerators that it does without, and `prepare` would build before
# the sources are there. So the result is the same on every architecture. npm is configured, where it must be, by
# `--secret id=npmrc,src=FILE`, of which nothing stays behind.
RUN --mount=type=secret,id=npmrc,target=/run/secrets/npmrc \
    NPM_CONFIG_USERCONFIG=/run/secrets/npmrc npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build
# ssh2 is published with the private keys of its own tests, which every scanner of images would report.
RUN npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund && rm -r node_modules/ssh2/test
COPY LICENSE ./
COPY manifests/examples manifests/examples
# OpenShift runs it as a user that no file belongs to, and whoever builds may have had a strict umask.
RUN chmod -R a+rX,go-w dist node_modules package.json LICENSE manifests

FROM ${RUNTIME_IMAGE}
ARG RUNTIME_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
# The second half replaces what the base image says of itself.
LABEL org.opencontainers.image.title="mirrorgate" \
      org.opencontainers.image.description="Guards the image mirror sets of clusters with Windows nodes, and brings what it admits to those nodes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="mirrorgate" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}" \
      name="mirrorgate" \
      summary="Guards the image mirror sets of clusters with Windows nodes" \
      description="Guards the image mirror sets of clusters with Windows nodes, and brings what it admits to those nodes" \
      vendor="mirrorgate" \
      maintainer="mirrorgate" \
      version="${VERSION}" \
      release="${REVISION}" \
      com.redhat.component="mirrorgate" \
      io.k8s.display-name="mirrorgate" \
      io.k8s.description="Guards the image mirror sets of clusters with Windows nodes, and brings what it admits to those nodes" \
      io.openshift.tags="mirrorgate" \
      io.openshift.expose-services="8443:https"
ENV NODE_ENV=production
WORKDIR /opt/mirrorgate
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/manifests manifests
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
EXPOSE 8443 8080
# By number, so that runAsNonRoot can be checked; any other works too.
USER 1001
ENTRYPOINT ["node", "/opt/mirrorgate/dist/cli/main.js"]
