import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface SlowLinkOptions {
  /** Port of 127.0.0.1 that it leads to. */
  readonly to: number;
  /** What it adds to a round trip, in milliseconds: half of it in each direction. */
  readonly delay: number;
}

/**
 * A long wire: a TCP proxy that delays what passes, counts round trips, and can be cut.
 *
 * A round trip is counted by what depends on what, not by time: whatever the client sends belongs to a round trip
 * later than that of the last answer it has received. Each one takes the delay at least, so the count says how often a
 * connection has waited for the wire.
 */
export class SlowLink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #roundTrips: (() => number)[] = [];
  #stalls: (received: number) => boolean = () => false;

  private constructor(readonly options: SlowLinkOptions) {
    this.#server = createServer({ noDelay: true }, (client) => {
      this.#join(client, connect({ port: options.to, host: '127.0.0.1', noDelay: true }));
    });
  }

  static async start(options: SlowLinkOptions): Promise<SlowLink> {
    const link = new SlowLink(options);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Round trips of each connection so far, oldest connection first; without that of TCP itself. */
  get roundTrips(): number[] {
    return this.#roundTrips.map((count) => count());
  }

  /** From now on nothing passes, in connections that stay open, once a client has sent this many bytes. */
  stallAfter(bytes: number): void {
    this.#stalls = (sent) => sent >= bytes;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    let atClient = 0;
    let atServer = 0;
    let sent = 0;
    this.#roundTrips.push(() => atClient);
    const isStalled = (): boolean => this.#stalls(sent);

    this.#carry(client, server, isStalled, (chunk) => {
      sent += chunk.length;
      const trip = atClient + 1;
      return () => (atServer = Math.max(atServer, trip));
    });
    this.#carry(server, client, isStalled, () => {
      const trip = atServer;
      return () => (atClient = Math.max(atClient, trip));
    });
  }

  /** Hands each piece on after its way. `depart` is called as it sets out; what that gives, when it arrives. */
  #carry(from: Socket, to: Socket, isStalled: () => boolean, depart: (chunk: Buffer) => () => unknown): void {
    this.#sockets.add(from);
    from.on('data', (chunk: Buffer) => {
      const arrive = depart(chunk);
      this.#later(() => {
        if (to.destroyed || isStalled()) return;
        arrive();
        to.write(chunk);
      });
    });
    from.on('end', () => {
      this.#later(() => to.end());
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      this.#later(() => to.destroy());
    });
  }

  /** Timers of one length run in the order in which they were set, so that what passes stays in order. */
  #later(work: () => unknown): void {
    setTimeout(work, this.options.delay / 2);
  }
}
