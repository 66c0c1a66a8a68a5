/** Images of a few hundred bytes, made in memory: an OCI manifest, its config, and at most one layer. */
import { createHash } from 'node:crypto';

export interface Blob {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface TinyImage {
  /** What a tag points at: the manifest, or the index above it. */
  readonly root: Blob;
  /** Root first. A puller reads them one after the other, since each names the next. */
  readonly manifests: readonly Blob[];
  /** Config first; a puller reads them at the same time. */
  readonly blobs: readonly Blob[];
}

export interface TinyImageShape {
  readonly layers: 0 | 1;
  /** An index of one platform stands above the manifest, as with most published images. */
  readonly index: boolean;
}

const oci = 'application/vnd.oci.image';

/** @param content makes the image, and each blob of it, unlike any other */
export function tinyImage(
  content: string,
  { layers, index }: TinyImageShape = { layers: 1, index: false },
): TinyImage {
  const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
  const config = jsonBlob(`${oci}.config.v1+json`, {
    ...platform,
    rootfs: { type: 'layers', diff_ids: [] },
    config: { Labels: { content } },
  });
  const layer = layers === 1 ? [blob(`${oci}.layer.v1.tar`, Buffer.from(`a layer of ${content}`))] : [];
  const manifest = jsonBlob(`${oci}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    config: descriptor(config),
    layers: layer.map(descriptor),
  });
  const above = index
    ? [
        jsonBlob(`${oci}.index.v1+json`, {
          schemaVersion: 2,
          mediaType: `${oci}.index.v1+json`,
          manifests: [{ ...descriptor(manifest), platform }],
        }),
      ]
    : [];
  return {
    root: above[0] ?? manifest,
    manifests: [...above, manifest],
    blobs: [config, ...layer],
  };
}

function jsonBlob(mediaType: string, value: unknown): Blob {
  return blob(mediaType, Buffer.from(JSON.stringify(value)));
}

function blob(mediaType: string, bytes: Buffer): Blob {
  return { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, mediaType, bytes };
}

function descriptor({ mediaType, digest, bytes }: Blob): object {
  return { mediaType, digest, size: bytes.length };
}
