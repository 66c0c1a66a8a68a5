/** One pull: mirror sets, an image, and the world it is pulled in. */
import type { ImageReference } from '../../src/mirrors/image-reference.js';
import type { MirrorSet } from '../../src/mirrors/mirror-set.js';
import { apiRegistryOf } from '../../src/mirrors/naming.js';
import type { Reference } from '../../src/mirrors/reference.js';
import type { ViewOptions } from '../../src/mirrors/registry-view.js';
import type { Listener } from './registry-front.js';
import type { TinyImage } from './tiny-image.js';

export interface PullCase {
  readonly name: string;
  readonly sets: readonly MirrorSet[];
  readonly image: ImageReference;
  readonly view: ViewOptions;
  /** `auths` of the pull secret: key → `user:password`. */
  readonly auths: Readonly<Record<string, string>>;
  readonly insecureRegistries: readonly string[];
  readonly holdings: readonly Holding[];
  /** `host:port` → what it does, where that is not {@link usualListener}. */
  readonly listeners: Readonly<Record<string, Listener>>;
}

/** An image that a repository of some registry holds: by its digests, and under a tag where one is given. */
export interface Holding {
  readonly repository: Reference;
  readonly image: TinyImage;
  readonly tag: string | undefined;
}

/** A host, and the port that is asked when none is written. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** The port was written. */
  readonly explicit: boolean;
}

export function addressOf(reference: Reference, scheme: 'http' | 'https' = 'https'): Address {
  const [host = '', port] = apiRegistryOf(reference).split(':');
  return { host, port: Number(port ?? (scheme === 'https' ? 443 : 80)), explicit: port !== undefined };
}

/** Registries speak TLS that is trusted, on the port they are named with; nothing is on port 80. */
export function usualListener(port: number): Listener {
  return { speaks: port === 80 ? 'closed' : 'tls' };
}

export function listenerOf(pullCase: Pick<PullCase, 'listeners'>, host: string, port: number): Listener {
  // What cannot be resolved cannot be connected to either (RFC 6761).
  if (host.endsWith('.invalid')) return { speaks: 'closed' };
  return pullCase.listeners[`${host}:${port}`] ?? usualListener(port);
}
