import express from 'express';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { connect as connectTls, TLSSocket, type SecureVersion } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseBindAddress } from '../../src/serving/bind-address.js';
import { writeDevelopmentCerts } from '../../src/serving/certs-directory.js';
import { requireClientCertificate } from '../../src/serving/client-certificate.js';
import type { Sleep } from '../../src/serving/graceful-stop.js';
import { healthRouter } from '../../src/serving/health-router.js';
import { Health } from '../../src/serving/health.js';
import { startServer, type RunningServer, type ServerOptions } from '../../src/serving/http-server.js';
import { loadCerts } from '../../src/serving/load-certs.js';
import { createSelfSigned, issueLeaf, type SelfSigned } from '../../src/serving/self-signed.js';
import type { ServingError } from '../../src/serving/serving-error.js';
import { watchCerts } from '../../src/serving/tls-reload.js';
import { temporaryDirectory } from '../unit/serving/temporary-directory.js';

const anyPort = { host: '127.0.0.1', port: 0 };
const atOnce = { drainMs: 0, graceMs: 0 };

let made: SelfSigned;
let client: SelfSigned;
beforeAll(async () => {
  made = await createSelfSigned({ now: new Date(), hosts: ['localhost', '127.0.0.1', '::1'] });
  client = await createSelfSigned({ now: new Date(), hosts: ['kube-apiserver'] });
});

async function start(
  handler: RequestListener,
  options: Omit<Partial<ServerOptions>, 'handler'> = {},
): Promise<RunningServer> {
  const server = await startServer({
    handler,
    bind: anyPort,
    tls: { cert: made.cert, key: made.key },
    ...options,
  });
  onTestFinished(() => server.stop(atOnce));
  return server;
}

interface Answer {
  readonly status: number;
  readonly connection: string | undefined;
  readonly text: string;
  readonly socket: TLSSocket;
}

function get(server: RunningServer, path = '/', options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(`${server.url}${path}`, { ca: made.caCert, ...options }, (response) => {
      const { socket } = response;
      if (!(socket instanceof TLSSocket)) throw new Error('not a TLS connection');
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          connection: response.headers.connection,
          text,
          socket,
        });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

function keepAliveAgent(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: made.caCert });
  onTestFinished(() => {
    agent.destroy();
  });
  return agent;
}

const ok: RequestListener = (_request, response) => response.end('ok');

/** A client's options for one version of TLS. */
function onlyTls(version: SecureVersion) {
  // So that it is the server that refuses: OpenSSL's default level forbids 1.0 and 1.1 to the client too.
  return { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A sleep that ends when the test says so. */
function heldSleep() {
  const sleeps: { readonly ms: number; readonly wake: () => void }[] = [];
  const sleep: Sleep = (ms, signal) =>
    new Promise((resolve) => {
      sleeps.push({ ms, wake: resolve });
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
  return { sleep, sleeps };
}

/** A handler whose answers wait until the test lets them go. */
function heldHandler() {
  const arrived = deferred<undefined>();
  const released = deferred<undefined>();
  const handler: RequestListener = (_request, response) => {
    arrived.resolve(undefined);
    void released.promise.then(() => response.end('done'));
  };
  return {
    handler,
    arrived: arrived.promise,
    release: () => {
      released.resolve(undefined);
    },
  };
}

describe('TLS', () => {
  it('is verified by a client that trusts the authority, by name and by address', async () => {
    const server = await start(ok);
    expect(await get(server)).toMatchObject({ status: 200, text: 'ok' });
    const byName = { ...server, url: `https://localhost:${server.port}` };
    expect((await get(byName, '/', { family: 4 })).socket.authorized).toBe(true);
  });

  it('is refused by a client that does not trust the authority', async () => {
    await expect(get(await start(ok), '/', { ca: client.caCert })).rejects.toThrow(/signature|issuer|verify/);
  });

  it.each([
    ['speaks plain HTTP', 'ERR_SSL_HTTP_REQUEST', 'begin with https://'],
    ['offers TLS 1.1 at most', 'ERR_SSL_UNSUPPORTED_PROTOCOL', 'TLS 1.2 or later'],
  ])('reports a client that %s, with what to do about it', async (what, code, hint) => {
    const heard = deferred<ServingError>();
    const { port } = await start(ok, { onError: heard.resolve });
    const socket = what.includes('HTTP')
      ? connectTcp(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'))
      : connectTls({ host: '127.0.0.1', port, ...onlyTls('TLSv1.1') });
    socket.on('error', () => undefined);
    onTestFinished(() => {
      socket.destroy();
    });
    const fault = await heard.promise;
    expect(fault.message).toMatch(new RegExp(`^TLS handshake with .* failed \\(${code}\\)$`));
    expect(fault).toMatchObject({ code: 'TLS_HANDSHAKE', hint: expect.stringContaining(hint) as string });
  });

  it.each(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const)('%s: only 1.2 and later', async (version) => {
    const server = await start(ok);
    // Also after a rotation: a new context starts from Node's own defaults.
    server.setSecureContext({ cert: made.cert, key: made.key });
    const socket = connectTls({
      host: '127.0.0.1',
      port: server.port,
      ca: made.caCert,
      ...onlyTls(version),
    });
    onTestFinished(() => {
      socket.destroy();
    });
    if (version === 'TLSv1' || version === 'TLSv1.1') {
      const [error] = (await once(socket, 'error')) as [Error];
      expect(error.message).toMatch(/alert protocol version/);
    } else {
      await once(socket, 'secureConnect');
      expect(socket.getProtocol()).toBe(version);
    }
  });

  it('rotates the certificate under constant requests without losing one', async () => {
    const directory = await temporaryDirectory();
    const first = await writeDevelopmentCerts(directory, { now: new Date() });
    const ca = await readFile(first.files.ca, 'utf8');
    const certs = await loadCerts({ directory });
    const server = await start(ok, { tls: certs });
    const reload = watchCerts({
      source: { directory },
      current: certs,
      apply: (pair) => {
        server.setSecureContext(pair);
      },
      settleMs: 1,
    });
    onTestFinished(() => reload.stop());

    const seen = new Set<string>();
    const agent = new Agent({ keepAlive: true, ca });
    onTestFinished(() => {
      agent.destroy();
    });
    const rotated = new AbortController();
    const hammer = async (options: RequestOptions): Promise<number> => {
      let answered = 0;
      while (!rotated.signal.aborted) {
        const { status, socket } = await get(server, '/', { ca, ...options });
        expect(status).toBe(200);
        const { serialNumber } = socket.getPeerCertificate();
        if (serialNumber) seen.add(serialNumber);
        answered += 1;
      }
      return answered;
    };
    const hammers = [hammer({ agent: false }), hammer({ agent: false }), hammer({ agent })];

    const renewed = await writeDevelopmentCerts(directory, { now: new Date(), renewBeforeDays: 366 });
    expect(renewed.action).toBe('renewed');
    await reload.check();
    while (seen.size < 2) await setImmediate();
    rotated.abort();

    for (const answered of await Promise.all(hammers)) expect(answered).toBeGreaterThan(0);
    expect(seen.size).toBe(2);
  });

  it('keeps the pair in use when asked to serve one that is broken', async () => {
    const server = await start(ok);
    expect(() => {
      server.setSecureContext({ cert: made.cert, key: made.caKey });
    }).toThrow();
    expect(await get(server, '/', { agent: false })).toMatchObject({ status: 200 });
  });
});

describe('client certificates', () => {
  async function startWithClientCa() {
    const app = express();
    app.get('/healthz', (_request, response) => response.send('ok'));
    app.get('/guarded', requireClientCertificate, (_request, response) => response.send('in'));
    const server = await start(app, { clientCa: client.caCert });
    return server;
  }

  it('are not needed by routes that do not ask for one, such as probes', async () => {
    expect(await get(await startWithClientCa(), '/healthz')).toMatchObject({ status: 200, text: 'ok' });
  });

  it('open a guarded route when the authority signed them, also after a rotation', async () => {
    const server = await startWithClientCa();
    const leaf = await issueClientLeaf(client);
    for (const rotate of [false, true]) {
      if (rotate) server.setSecureContext({ cert: made.cert, key: made.key });
      expect(await get(server, '/guarded', { ...leaf, agent: false })).toMatchObject({
        status: 200,
        text: 'in',
      });
    }
  });

  it('get a 401 when missing or signed by somebody else', async () => {
    const server = await startWithClientCa();
    const without = await get(server, '/guarded');
    expect(without.status).toBe(401);
    expect(JSON.parse(without.text)).toEqual({ error: 'this route needs a client certificate' });

    const foreign = await get(server, '/guarded', { ...(await issueClientLeaf(made)), agent: false });
    expect(foreign.status).toBe(401);
    expect(JSON.parse(foreign.text)).toEqual({
      error: 'the client certificate is not signed by an authority that this server accepts',
    });
  });

  it('get a 401 on a plain HTTP server', async () => {
    const app = express().get('/', requireClientCertificate, (_request, response) => response.send('in'));
    const server = await start(app, { tls: undefined });
    expect(server.url).toMatch(/^http:/);
    expect((await fetch(server.url)).status).toBe(401);
  });

  async function issueClientLeaf(authority: SelfSigned) {
    const { generate } = await import('selfsigned');
    const leaf = await generate([{ name: 'commonName', value: 'kube-apiserver' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      notBeforeDate: new Date(Date.now() - 60_000),
      notAfterDate: new Date(Date.now() + 3_600_000),
      ca: { cert: authority.caCert, key: authority.caKey },
      extensions: [{ name: 'extKeyUsage', clientAuth: true }],
    });
    return { cert: leaf.cert, key: leaf.private };
  }

  it('meant for servers do not count as client certificates', async () => {
    const server = await startWithClientCa();
    const ca = { cert: client.caCert, key: client.caKey };
    const leaf = await issueLeaf({ now: new Date(), hosts: ['kube-apiserver'], ca });
    expect(await get(server, '/guarded', { ...leaf, agent: false })).toMatchObject({ status: 401 });
  });
});

describe('startServer', () => {
  it('says in one line that the address is in use, and how to get another', async () => {
    const { port } = await start(ok);
    const starting = startServer({ handler: ok, bind: { host: '127.0.0.1', port } });
    await expect(starting).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: `cannot listen on 127.0.0.1:${port}: the address is already in use`,
      hint: '--bind 127.0.0.1:0 picks a free port',
    });
    const metrics = startServer({
      handler: ok,
      bind: { host: '127.0.0.1', port },
      bindFlag: '--metrics-bind',
    });
    await expect(metrics).rejects.toMatchObject({ hint: '--metrics-bind 127.0.0.1:0 picks a free port' });
  });

  it('says that an address is not one of this machine', async () => {
    // TEST-NET-1 (RFC 5737) belongs to no machine.
    await expect(startServer({ handler: ok, bind: { host: '192.0.2.1', port: 0 } })).rejects.toMatchObject({
      code: 'ADDRESS_UNAVAILABLE',
      message: 'cannot listen on 192.0.2.1:0: this machine has no such address (EADDRNOTAVAIL)',
    });
  });

  it('tells the picked port, and a URL that a client on this machine can use', async () => {
    const server = await start(ok);
    expect(server).toMatchObject({ address: '127.0.0.1', url: `https://127.0.0.1:${server.port}` });
    const everywhere = parseBindAddress('0.0.0.0:0');
    if (!everywhere.ok) throw new Error(everywhere.fault);
    const open = await start(ok, { bind: everywhere.address, tls: undefined });
    expect(open.url).toBe(`http://localhost:${open.port}`);
  });
});

describe('a kept connection', () => {
  it('gathers no listeners from one request to the next', async () => {
    const counts: number[] = [];
    const server = await start((request, response) => {
      counts.push(request.socket.listenerCount('close'));
      response.end();
    });
    const agent = keepAliveAgent();
    for (let round = 0; round < 15; round += 1) await get(server, '/', { agent });
    expect(counts).toHaveLength(15);
    expect(new Set(counts).size).toBe(1);
  });
});

describe('stop', () => {
  it('flips readiness, drains, then finishes the request in flight, all with Connection: close', async () => {
    const health = new Health();
    const held = heldHandler();
    const app = express().use(healthRouter(health)).get('/slow', held.handler);
    const server = await start(app, {
      onStopping: () => {
        health.beginStopping();
      },
    });
    const agent = keepAliveAgent();
    expect(await get(server, '/readyz', { agent })).toMatchObject({ status: 200, connection: 'keep-alive' });
    const slow = get(server, '/slow', { agent: new Agent({ keepAlive: true, ca: made.caCert }) });
    await held.arrived;

    const { sleep, sleeps } = heldSleep();
    let stopped = false;
    const stopping = server.stop({ drainMs: 10_000, graceMs: 25_000, sleep }).then(() => (stopped = true));
    // Draining: old connections and new ones are still served, and told to go elsewhere.
    for (const options of [{ agent }, { agent: false }]) {
      expect(await get(server, '/readyz', options)).toMatchObject({ status: 503, connection: 'close' });
    }
    expect(sleeps.map(({ ms }) => ms)).toEqual([10_000]);

    sleeps[0]!.wake();
    await expect.poll(() => sleeps.length).toBe(2);
    await expect(get(server, '/readyz', { agent: false })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(stopped).toBe(false);

    held.release();
    expect(await slow).toMatchObject({ status: 200, connection: 'close', text: 'done' });
    await stopping;
  });

  it('finishes an answer that had begun as keep-alive before the stop, to its last byte', async () => {
    const head = deferred<undefined>();
    const go = deferred<undefined>();
    const tail = 'x'.repeat(4_000_000);
    const server = await start((_request, response) => {
      response.write('head ');
      head.resolve(undefined);
      void go.promise.then(() => response.end(tail));
    });
    const answer = get(server, '/', { agent: keepAliveAgent() });
    await head.promise;
    const stopping = server.stop({ drainMs: 0, graceMs: 60_000 });
    go.resolve(undefined);
    expect((await answer).text).toHaveLength('head '.length + tail.length);
    await stopping;
  });

  it('is not held up by connections that carry no request', async () => {
    const server = await start(ok);
    const agent = keepAliveAgent();
    await get(server, '/', { agent });
    const silentTls = connectTls({ host: '127.0.0.1', port: server.port, ca: made.caCert });
    const silentTcp = connectTcp(server.port, '127.0.0.1');
    await Promise.all([once(silentTls, 'secureConnect'), once(silentTcp, 'connect')]);
    // A request over a third connection, so that the server has accepted the two before it.
    await get(server, '/', { agent: false });
    silentTcp.on('error', () => undefined);
    const closed = [once(silentTls, 'close'), once(silentTcp, 'close')];

    // No wait may pass: with a sleep that never ends the stop has to come from the connections alone.
    await server.stop({ drainMs: 0, sleep: heldSleep().sleep });
    await Promise.all(closed);
  });

  it('cuts off a request that outlives its grace time', async () => {
    const held = heldHandler();
    const server = await start(held.handler);
    const slow = get(server);
    const outcome = slow.then(
      () => 'answered',
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    );
    await held.arrived;
    const { sleep, sleeps } = heldSleep();
    const stopping = server.stop({ drainMs: 0, graceMs: 5_000, sleep });
    await expect.poll(() => sleeps.length).toBe(1);
    sleeps[0]!.wake();
    await stopping;
    expect(await outcome).toBe('ECONNRESET');
  });

  it('survives a client that resets its connection in the meantime', async () => {
    const held = heldHandler();
    const server = await start(held.handler, { tls: undefined });
    const socket = connectTcp(server.port, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\r\nHost: gate\r\n\r\n');
    });
    await held.arrived;
    const { sleep, sleeps } = heldSleep();
    const stopping = server.stop({ drainMs: 0, sleep });
    await expect.poll(() => sleeps.length).toBe(1);
    socket.resetAndDestroy();
    await stopping;
  });

  it('ends all waits when hastened', async () => {
    const held = heldHandler();
    const server = await start(held.handler);
    const outcome = get(server).catch((error: unknown) => (error as NodeJS.ErrnoException).code);
    await held.arrived;
    const hasten = new AbortController();
    const stopping = server.stop({ drainMs: 3_600_000, graceMs: 3_600_000, hasten: hasten.signal });
    hasten.abort();
    await stopping;
    expect(await outcome).toBe('ECONNRESET');
  });

  it('joins a stop that is under way', async () => {
    let flips = 0;
    const server = await start(ok, { onStopping: () => (flips += 1) });
    await Promise.all([server.stop(atOnce), server.stop(atOnce)]);
    await server.stop(atOnce);
    expect(flips).toBe(1);
    await expect(get(server)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
