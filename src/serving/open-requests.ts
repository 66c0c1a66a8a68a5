import type { RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * What a server must know of its connections to stop in order: which carry a request, and which only lie open. Node's
 * own `closeIdleConnections` leaves out connections that have not sent anything yet, and those still in their handshake.
 */
export class OpenRequests {
  readonly #connections = new Set<Socket>();
  readonly #responses = new Set<ServerResponse>();
  /** Sockets with a request in flight or, once the server stops, with an answer still on its way out. */
  readonly #carriers = new Map<Socket, Carrier>();
  #announcing = false;
  #ending = false;

  /** Follows every connection of a server, from before its TLS handshake. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
  }

  /** Follows every request that goes to a handler. */
  wrap(handler: RequestListener): RequestListener {
    return (request, response) => {
      const { socket } = request;
      this.#responses.add(response);
      const carrier = this.#carriers.get(socket) ?? { closed: closeOf(socket), requests: 0 };
      carrier.requests += 1;
      this.#carriers.set(socket, carrier);
      response.once('close', () => {
        this.#responses.delete(response);
        carrier.requests -= 1;
        if (carrier.requests > 0) return;
        if (this.#ending) socket.destroySoon();
        else this.#carriers.delete(socket);
      });
      if (this.#announcing) response.setHeader('Connection', 'close');
      handler(request, response);
    };
  }

  /** From now on every answer tells its client to close the connection, those of requests in flight included. */
  announceClose(): void {
    this.#announcing = true;
    for (const response of this.#responses) {
      if (!response.headersSent) response.setHeader('Connection', 'close');
    }
  }

  /** Resolves when every request in flight is answered and its connection closed. */
  async finish(): Promise<void> {
    this.#ending = true;
    while (this.#carriers.size > 0) {
      await Promise.all(
        [...this.#carriers].map(async ([socket, { closed }]) => {
          await closed;
          this.#carriers.delete(socket);
        }),
      );
    }
  }

  /** Drops every connection that is left, whatever it carries. */
  destroyAll(): void {
    for (const socket of this.#connections) socket.destroy();
  }
}

interface Carrier {
  readonly closed: Promise<void>;
  /** More than one when a client sends the next before the answer to the last. */
  requests: number;
}

function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}
