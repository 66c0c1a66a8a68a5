import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What a Service does: one address, and the connections to it spread over those who answer behind it. */
export interface ServiceProxy {
  readonly port: number;
  /** Gets new connections from now on. */
  add(port: number): void;
  /** Gets no more; connections that it has stay. */
  remove(port: number): void;
  stop(): Promise<void>;
}

/** Starts one with nobody behind it: connections are then refused, as by a Service without endpoints. */
export async function startServiceProxy(): Promise<ServiceProxy> {
  const endpoints: number[] = [];
  const sockets = new Set<Socket>();
  let turn = 0;
  const follow = (socket: Socket) => {
    sockets.add(socket);
    // Whoever is on the other side learns of it by the close.
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    follow(client);
    turn += 1;
    const port = endpoints[turn % endpoints.length];
    if (port === undefined) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    follow(target);
    client.pipe(target).pipe(client);
    client.once('close', () => target.destroy());
    target.once('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    add(port) {
      endpoints.push(port);
    },
    remove(port) {
      const at = endpoints.indexOf(port);
      if (at !== -1) endpoints.splice(at, 1);
    },
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
