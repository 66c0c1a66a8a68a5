import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can fail as networks do. What passes through it is not looked at: TLS works. */
export interface FaultyProxy {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Resets every connection. New ones work. */
  cut(): void;
  /**
   * Loses every byte from now on, of new connections too, and ends none: as a firewall does that has forgotten them.
   */
  stall(): void;
  /** New connections work again; those that have lost bytes stay dead, as they would. */
  resume(): void;
  /** Refuses new connections too, until `resume`. */
  refuse(): void;
  stop(): Promise<void>;
}

/** @param target the server's port on 127.0.0.1 */
export async function startFaultyProxy(target: { readonly port: number }): Promise<FaultyProxy> {
  let state: 'passes' | 'stalls' | 'refuses' = 'passes';
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((client) => {
    if (state === 'refuses') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target.port, '127.0.0.1');
    const pair = [client, upstream] as const;
    let isDead = false;
    pairs.add(pair);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        isDead ||= state === 'stalls';
        if (!isDead) to.write(bytes);
      });
      from.on('end', () => {
        isDead ||= state === 'stalls';
        if (!isDead) to.end();
      });
      // The other side sees the end of a connection as it was, unless nothing gets through.
      from.on('error', () => {
        if (!isDead) to.destroy();
      });
      from.on('close', () => {
        if (!isDead) to.destroy();
        if (client.destroyed && upstream.destroyed) pairs.delete(pair);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const cut = () => {
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  return {
    port,
    cut,
    stall() {
      state = 'stalls';
    },
    resume() {
      state = 'passes';
    },
    refuse() {
      state = 'refuses';
      cut();
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
