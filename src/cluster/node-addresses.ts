import { isIPv6 } from 'node:net';
import { z } from 'zod';
import type { KubeObject } from './kube-object.js';

const nodeSchema = z.object({
  status: z.object({ addresses: z.array(z.object({ type: z.string(), address: z.string().min(1) })) }),
});

export interface NodeAddresses {
  /** Where SSH answers: the first InternalIP or InternalDNS that is not IPv6, as WMCO has it. */
  readonly ssh: string | undefined;
  /** All that the Node is known by, its name among them, in lower case. */
  readonly all: ReadonlySet<string>;
}

export function addressesOf(node: KubeObject): NodeAddresses {
  const parsed = nodeSchema.safeParse(node);
  const addresses = parsed.success ? parsed.data.status.addresses : [];
  return {
    ssh: addresses.find(
      ({ type, address }) => (type === 'InternalIP' || type === 'InternalDNS') && !isIPv6(address),
    )?.address,
    all: new Set(
      [node.metadata.name, ...addresses.map(({ address }) => address)].map((text) => text.toLowerCase()),
    ),
  };
}
