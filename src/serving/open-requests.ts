import type { RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * What a server must know of its connections to stop in order: which carry a request, and which only lie open. Node's
 * own `closeIdleConnections` leaves out connections that have not sent anything yet, and those still in their handshake.
 */
export class OpenRequests {
  readonly #connections = new Set<Socket>();
  readonly #responses = new Set<ServerResponse>();
  /** Requests in flight by socket, for every socket that has carried one. */
  readonly #carriers = new Map<Socket, number>();
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
      if (!this.#carriers.has(socket)) socket.once('close', () => this.#carriers.delete(socket));
      this.#addTo(socket, 1);
      response.once('close', () => {
        this.#responses.delete(response);
        if (this.#addTo(socket, -1) === 0 && this.#ending) socket.destroySoon();
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

  /**
   * Resolves when every request in flight is answered and its connection closed, the answer's last byte on its way.
   * Connections that have carried a request before are closed at once.
   */
  async finish(): Promise<void> {
    this.#ending = true;
    for (const [socket, requests] of this.#carriers) if (requests === 0) socket.destroySoon();
    while (this.#carriers.size > 0) {
      await Promise.all([...this.#carriers.keys()].map(closeOf));
    }
  }

  /** Drops every connection that is left, whatever it carries. */
  destroyAll(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  /** More than one at a time when a client sends the next request before the answer to the last. */
  #addTo(socket: Socket, change: 1 | -1): number {
    const requests = (this.#carriers.get(socket) ?? 0) + change;
    if (!socket.destroyed) this.#carriers.set(socket, requests);
    return requests;
  }
}

/** Not `once` of node:events, which rejects when the client resets the connection. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}
