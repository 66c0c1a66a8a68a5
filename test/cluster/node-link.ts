import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface NodeLinkOptions {
  /** Where the node listens; the link listens at the same address. */
  readonly address: string;
  readonly port: number;
  /** What the link adds to a round trip, in ms: half of it in each direction. */
  readonly delay: number;
  /** The processes that may come. */
  readonly callers: () => readonly number[];
}

/** A long way to a node, that knows which process each connection is of. */
export interface NodeLink {
  readonly port: number;
  delay: number;
  /** The process behind a connection, by the port from which it reaches the node; `undefined` for an unknown one. */
  callerAt(port: number): number | undefined;
  stop(): Promise<void>;
}

export async function startNodeLink({ address, port, delay, callers }: NodeLinkOptions): Promise<NodeLink> {
  const sockets = new Set<Socket>();
  const callerOf = new Map<number, number | undefined>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const caller = ownerOf({ local: client.remotePort!, remote: client.localPort! }, callers());
    const node = connect({ host: address, port, noDelay: true, allowHalfOpen: true });
    node.once('connect', () => callerOf.set(node.localPort!, caller));
    carry(client, node);
    carry(node, client);
  });
  const later = (work: () => unknown) => setTimeout(work, link.delay / 2);
  const carry = (source: Socket, target: Socket) => {
    sockets.add(source);
    source.on('data', (bytes) => later(() => target.destroyed || target.write(bytes)));
    source.on('end', () => later(() => target.end()));
    // Told by the close.
    source.on('error', () => undefined);
    source.on('close', () => {
      sockets.delete(source);
      later(() => target.destroy());
    });
  };
  server.listen(0, address);
  await once(server, 'listening');

  const link: NodeLink = {
    port: (server.address() as AddressInfo).port,
    delay,
    callerAt: (fromPort) => callerOf.get(fromPort),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return link;
}

interface Ports {
  readonly local: number;
  readonly remote: number;
}

/** The one of some processes that holds a TCP connection, as the kernel tells in /proc. */
function ownerOf(ports: Ports, pids: readonly number[]): number | undefined {
  const wanted = `socket:[${inodeOf(ports)}]`;
  return pids.find((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === wanted);
    } catch {
      // It has ended.
      return false;
    }
  });
}

function inodeOf({ local, remote }: Ports): string {
  const [, ...lines] = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n');
  const found = lines
    .map((line) => line.trim().split(/\s+/))
    .find(([, own, other]) => portIn(own) === local && portIn(other) === remote);
  return found?.[9] ?? '';
}

/** `0100007F:1F90` → 8080 */
function portIn(address: string | undefined): number {
  return Number.parseInt(address?.split(':')[1] ?? '', 16);
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
