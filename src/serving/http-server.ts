import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions as HttpsOptions } from 'node:https';
import { isIPv6, type AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { formatBindAddress, type BindAddress } from './bind-address.js';
import { stopGracefully, type StopOptions } from './graceful-stop.js';
import type { KeyPair } from './key-pair.js';
import { OpenRequests } from './open-requests.js';
import { ServingError, systemCodeOf } from './serving-error.js';

export interface ServerOptions {
  /** For example an express application. */
  readonly handler: RequestListener;
  readonly bind: BindAddress;
  /** The flag that sets `bind`, for hints. Default `--bind`. */
  readonly bindFlag?: '--bind' | '--metrics-bind';
  /** Serve HTTPS with this pair; without it, plain HTTP. */
  readonly tls?: KeyPair | undefined;
  /**
   * PEM authorities that client certificates are checked against. A client without one is let in all the same, since
   * kubelet probes have none: routes that need one take `requireClientCertificate`.
   */
  readonly clientCa?: string | undefined;
  /** Faults after the start, which the server survives: failed TLS handshakes, connections that cannot be accepted. */
  readonly onError?: (fault: ServingError) => void;
  /** Called first when the server begins to stop: the place to make readiness fail. */
  readonly onStopping?: () => void;
}

export interface RunningServer {
  readonly address: string;
  /** The port in use, also where port 0 was asked for. */
  readonly port: number;
  /** Where a client on this machine reaches it, without a slash at the end. */
  readonly url: string;
  /** Serves another pair to every new connection. Throws, and changes nothing, when the pair is not usable. */
  setSecureContext(pair: KeyPair): void;
  /** Stops in order; a second call joins the first. */
  stop(options?: StopOptions): Promise<void>;
}

const second = 1000;

/** Stated in full, so that no release of Node changes them unseen. All in ms. */
const timeouts = {
  /** For all headers of a request. */
  headersTimeout: 10 * second,
  /** For a whole request; the API server gives a webhook 30 s at most. */
  requestTimeout: 30 * second,
  /** Longer than the 90 s after which Go clients, the API server among them, drop an idle connection: whoever closes
   * second never meets a request that is already on its way. */
  keepAliveTimeout: 120 * second,
  /** How often the first two are enforced. */
  connectionsCheckingInterval: 5 * second,
} as const;
const handshakeTimeout = 10 * second;

/**
 * Starts a server and resolves when it listens.
 *
 * @throws ServingError `ADDRESS_IN_USE`, `ADDRESS_FORBIDDEN`, `ADDRESS_UNAVAILABLE`
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { bind, bindFlag = '--bind', tls, clientCa, onError, onStopping } = options;
  const requests = new OpenRequests();
  const handler = requests.wrap(options.handler);
  const https = tls === undefined ? undefined : createHttps(tls, clientCa, handler, onError);
  const server: Server = https ?? createHttpServer(timeouts, handler);
  requests.watch(server);

  await listen(server, bind, bindFlag);
  server.on('error', (error) => {
    onError?.(
      new ServingError(
        'SERVER_FAULT',
        `the server on ${formatBindAddress(bind)} reports a fault`,
        'look at the cause',
        {
          cause: error,
        },
      ),
    );
  });

  const { address, port } = server.address() as AddressInfo;
  let stopping: Promise<void> | undefined;
  return {
    address,
    port,
    url: `${https === undefined ? 'http' : 'https'}://${reachableHost(bind, address)}:${port}`,
    setSecureContext(pair) {
      https?.setSecureContext(contextOf(pair, clientCa));
    },
    stop(stopOptions) {
      stopping ??= (() => {
        onStopping?.();
        return stopGracefully(server, requests, stopOptions);
      })();
      return stopping;
    },
  };
}

/** Everything that a TLS context is made of: what is left out of a new context falls back to Node's defaults. */
function contextOf(pair: KeyPair, clientCa: string | undefined) {
  return {
    cert: pair.cert,
    key: pair.key,
    minVersion: 'TLSv1.2',
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  } as const satisfies HttpsOptions;
}

function createHttps(
  pair: KeyPair,
  clientCa: string | undefined,
  handler: RequestListener,
  onError: ServerOptions['onError'],
) {
  const server = createHttpsServer(
    {
      ...timeouts,
      ...contextOf(pair, clientCa),
      handshakeTimeout,
      requestCert: clientCa !== undefined,
      rejectUnauthorized: false,
    },
    handler,
  );
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    // A probe or a port scan that hangs up before its handshake is not worth a word.
    if (systemCodeOf(error) === 'ECONNRESET') return;
    onError?.(handshakeFault(socket.remoteAddress, error));
  });
  return server;
}

function handshakeFault(remoteAddress: string | undefined, error: Error): ServingError {
  const code = systemCodeOf(error) ?? error.message;
  let hint = 'look at the cause';
  if (code === 'ERR_SSL_HTTP_REQUEST')
    hint = 'the client speaks plain HTTP: its URL has to begin with https://';
  else if (/PROTOCOL|VERSION/.test(code)) hint = 'the client has to offer TLS 1.2 or later';
  else if (code.includes('ALERT')) {
    hint = 'the client has to trust the authority that signed the certificate: for a webhook, its caBundle';
  }
  // The address of a client that has already gone is not known any more.
  return new ServingError(
    'TLS_HANDSHAKE',
    `TLS handshake with ${remoteAddress ?? 'a client'} failed (${code})`,
    hint,
    { cause: error },
  );
}

async function listen(server: Server, bind: BindAddress, flag: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: bind.port, ...(bind.host === undefined ? {} : { host: bind.host }) }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw listenFault(bind, flag, error);
  }
}

function listenFault(bind: BindAddress, flag: string, error: unknown): ServingError {
  const address = formatBindAddress(bind);
  const free = `${formatBindAddress({ host: bind.host ?? '127.0.0.1', port: 0 })} picks a free port`;
  switch (systemCodeOf(error)) {
    case 'EADDRINUSE':
      return new ServingError(
        'ADDRESS_IN_USE',
        `cannot listen on ${address}: the address is already in use`,
        `${flag} ${free}`,
        { cause: error },
      );
    case 'EACCES':
      return new ServingError(
        'ADDRESS_FORBIDDEN',
        `cannot listen on ${address}: this user may not`,
        `take a port above 1023; ${flag} ${free}`,
        { cause: error },
      );
    default:
      return new ServingError(
        'ADDRESS_UNAVAILABLE',
        `cannot listen on ${address}: this machine has no such address (${systemCodeOf(error) ?? 'unknown error'})`,
        `${flag} 127.0.0.1:${bind.port} listens on this machine alone, ${flag} :${bind.port} on every interface`,
        { cause: error },
      );
  }
}

function reachableHost(bind: BindAddress, address: string): string {
  if (bind.host === undefined || address === '0.0.0.0' || address === '::') return 'localhost';
  if (bind.host !== address && !isIPv6(bind.host)) return bind.host;
  return isIPv6(address) ? `[${address}]` : address;
}
