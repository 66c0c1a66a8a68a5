/** Mirror sets that the documentation of OpenShift shows, or that real clusters hold. */
import { idms, itms } from '../mirror-sets.js';

/** The documentation's IDMS; its first entry breaks the documentation's own naming rule. */
export const ubi9repo = idms('ubi9repo', [
  [
    'registry.access.redhat.com/ubi9/ubi-minimal',
    ['example.io/example/ubi-minimal', 'example.com/example2/ubi-minimal'],
    'AllowContactingSource',
  ],
  ['registry.redhat.io', ['mirror.example.com'], 'NeverContactSource'],
]);

/** The documentation's ITMS for one repository. */
export const remoteOrgImage = itms('tag-mirror', [['quay.io/remote-org/image', ['quay.io/my-org/image']]]);

/** The documentation's ITMS for a whole registry. */
export const dockerMirror = itms('tag-mirror', [['docker-mirror.internal', ['docker.io']]]);

/** What the installer writes into a disconnected cluster: for Linux nodes, and against the naming rule. */
export const releasePayload = idms('release-payload', [
  ['quay.io/openshift-release-dev/ocp-release', ['mirror.local/openshift/release-images']],
  ['quay.io/openshift-release-dev/ocp-v4.0-art-dev', ['mirror.local/openshift/release']],
]);

/** A pull-through cache for Docker Hub. */
export const pullThroughCache = idms('docker-hub-cache', [['docker.io', ['harbor.local/docker.io']]]);

/** The pause image, mirrored by tag at an exact mirror. */
export const pauseByTag = itms('pause', [
  ['mcr.microsoft.com/oss/kubernetes/pause', ['mirror.local/oss/kubernetes/pause']],
]);

export const linuxLabel = { 'mirrorgate.dev/os': 'linux' };
