import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const lowest = 10_000;

/**
 * A port of a loopback address that nobody listens on, from below those that the kernel gives to outgoing connections. A server
 * that comes back on a port of those may find it taken, and a client that asks for such a port while nobody listens
 * there may connect to itself.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  const end = firstOutgoingPort();
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (end - lowest));
    if (await isFree(address, port)) return port;
  }
}

function firstOutgoingPort(): number {
  const [first = ''] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/);
  // Where hardly anything is left below, a collision is the smaller evil.
  return Math.max(Number(first), lowest + 10_000);
}

async function isFree(address: string, port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, address);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
