import ssh2, {
  type Algorithms,
  type PublicKeyAuthMethod,
  type ServerHostKeyAlgorithm,
  type SFTPWrapper,
} from 'ssh2';
import { fingerprintOf, type HostKeyStore } from './host-key-store.js';
import { connectionError, hostKeyError, NodeError, unreachableError } from './node-error.js';
import { readPrivateKey } from './private-key.js';
import type { TargetNode } from './target-node.js';

export interface ConnectOptions {
  /** Aborting it ends the connection, at whatever point it is; the reason is what calls then reject with. */
  readonly signal?: AbortSignal | undefined;
  /** Time from the first packet to an open SFTP channel, in milliseconds. */
  readonly readyTimeout?: number | undefined;
  /** Time between two questions whether the node is still there, in milliseconds; after three without answer it is not. */
  readonly keepAliveInterval?: number | undefined;
  /** Replaces {@link modernAlgorithms}, list by list. */
  readonly algorithms?: Algorithms | undefined;
  readonly readKey?: typeof readPrivateKey | undefined;
  /** Called when the node's key was seen for the first time and has been pinned. */
  readonly onHostKeyPinned?: ((fingerprint: string) => void) | undefined;
}

/** An authenticated connection with an open SFTP channel. */
export interface SshConnection {
  readonly sftp: SFTPWrapper;
  /** Calls back once, when the connection is lost (at once if it is already); not after {@link end}. */
  onLost(listener: (reason: unknown) => void): void;
  /** Says goodbye and waits until the socket is closed. */
  end(): Promise<void>;
}

const hostKeyAlgorithms = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const satisfies ServerHostKeyAlgorithm[];

/** What is offered to a node: no SHA-1, no CBC, no DSA. Every OpenSSH that ships with Windows has these. */
export const modernAlgorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
  ],
  serverHostKey: [...hostKeyAlgorithms],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes256-ctr', 'aes192-ctr', 'aes128-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
} satisfies Algorithms;

/** How long the end of a connection may take to follow its last error, in milliseconds. */
const goingDown = 250;
const defaultReadyTimeout = 20_000;
const defaultKeepAliveInterval = 10_000;
/** How long a node may take to close its side before the socket is torn down, in milliseconds. */
const goodbyeTimeout = 2_000;

/**
 * Connects, checks the node's host key, logs in and opens the SFTP channel.
 *
 * @throws NodeError when one of these fails; the signal's reason when it is aborted
 */
export async function connect(
  node: TargetNode,
  hostKeys: HostKeyStore,
  options: ConnectOptions,
): Promise<SshConnection> {
  options.signal?.throwIfAborted();
  const key = (options.readKey ?? readPrivateKey)(node.privateKey, node.passphrase);
  if (!key.ok) throw new NodeError('authentication', `cannot log in to ${node.name}: ${key.fault}`, key.hint);
  const knownTypes = await hostKeys.knownKeyTypes(node).catch((error: unknown) => {
    throw unreadableHostKeys(error);
  });
  options.signal?.throwIfAborted();

  const logIn: PublicKeyAuthMethod = { type: 'publickey', username: node.username, key: key.key };
  const client = new ssh2.Client();
  const closed = new Promise<void>((resolve) => client.once('close', resolve));
  const readyTimeout = options.readyTimeout ?? defaultReadyTimeout;
  let refusal: NodeError | undefined;
  let lost: { readonly reason: unknown } | undefined;
  let ended = false;
  let stage = 'the TCP connection';
  const listeners: ((reason: unknown) => void)[] = [];

  const lose = (reason: unknown): void => {
    if (lost !== undefined || ended) return;
    lost = { reason };
    options.signal?.removeEventListener('abort', abort);
    for (const listener of listeners.splice(0)) listener(reason);
    client.destroy();
  };
  const abort = (): void => {
    lose(options.signal?.reason);
  };
  const onLost = (listener: (reason: unknown) => void): void => {
    if (lost === undefined) listeners.push(listener);
    else listener(lost.reason);
  };

  const judge = async (wireKey: Buffer): Promise<boolean> => {
    stage = 'the check of the host key';
    try {
      const verdict = await hostKeys.check(node, wireKey);
      if (!verdict.accepted) refusal = hostKeyError(node, verdict);
      else if (verdict.pinned) options.onHostKeyPinned?.(fingerprintOf(wireKey));
    } catch (error) {
      refusal = unreadableHostKeys(error);
    }
    stage = 'the log-in';
    return refusal === undefined;
  };

  const watchChannel = (sftp: SFTPWrapper): void => {
    for (const event of ['end', 'close'] as const) {
      sftp.once(event, () => {
        lose(unreachableError(node, 'closed the SFTP channel'));
      });
    }
    sftp.on('error', (error: unknown) => {
      lose(connectionError(node, key.key.type, error));
    });
  };

  // ssh2 may emit several errors; the first one tells what happened.
  client.on('error', (error) => {
    lose(refusal ?? connectionError(node, key.key.type, error));
  });
  client.on('close', () => {
    lose(refusal ?? unreachableError(node, 'closed the connection'));
  });
  client.once('connect', () => {
    stage = 'the SSH handshake';
    // Small requests, each of which is waited for: held back to fill a packet, each would cost 40 ms.
    client.setNoDelay(true);
  });
  options.signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => {
    lose(
      unreachableError(node, `did not answer within ${readyTimeout / 1000} s (while waiting for ${stage})`),
    );
  }, readyTimeout);

  try {
    const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
      onLost(reject);
      client.once('ready', () => {
        stage = 'the SFTP subsystem';
        client.sftp((error, opened) => {
          if (error === undefined) {
            // At once: the end of the channel may stand in the very packet that opened it.
            watchChannel(opened);
            resolve(opened);
            return;
          }
          // A connection that goes down fails its requests first and closes then: `close` then tells what happened.
          setTimeout(() => {
            lose(noSubsystem(node, error));
          }, goingDown);
        });
      });
      client.connect({
        host: node.address,
        port: node.port,
        username: node.username,
        authHandler: [logIn],
        // The buffer belongs to the packet that it came in: it is copied before waiting.
        hostVerifier: (wireKey: Buffer, verify: (accepted: boolean) => void) => {
          void judge(Buffer.from(wireKey)).then((accepted) => {
            // ssh2 throws at an answer that comes after the connection is gone.
            if (lost === undefined) verify(accepted);
          });
        },
        algorithms: {
          ...modernAlgorithms,
          serverHostKey: knownFirst(hostKeyAlgorithms, knownTypes),
          ...options.algorithms,
        },
        keepaliveInterval: options.keepAliveInterval ?? defaultKeepAliveInterval,
        keepaliveCountMax: 3,
        // The timer above also covers the SFTP channel.
        readyTimeout: 0,
      });
    });
    listeners.length = 0;
    return { sftp, onLost, end };
  } catch (error) {
    lose(error);
    throw error;
  } finally {
    clearTimeout(timer);
  }

  async function end(): Promise<void> {
    if (lost !== undefined || ended) return;
    ended = true;
    options.signal?.removeEventListener('abort', abort);
    client.end();
    const teardown = setTimeout(() => client.destroy(), goodbyeTimeout);
    await closed;
    clearTimeout(teardown);
  }
}

/** Asks first for the kinds of key on record: a server shows the first kind asked for that it has. */
function knownFirst(
  algorithms: readonly ServerHostKeyAlgorithm[],
  knownTypes: readonly string[],
): ServerHostKeyAlgorithm[] {
  const known = (algorithm: string): boolean =>
    knownTypes.includes(algorithm.startsWith('rsa-sha2') ? 'ssh-rsa' : algorithm);
  return [...algorithms.filter(known), ...algorithms.filter((algorithm) => !known(algorithm))];
}

function unreadableHostKeys(cause: unknown): NodeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new NodeError(
    'host-key-unknown',
    `the record of host keys cannot be used (${why})`,
    'no host is trusted without it: check that it exists and can be read (and written, to pin keys)',
    { cause },
  );
}

function noSubsystem(node: TargetNode, cause: Error): NodeError {
  return new NodeError(
    'protocol',
    `${node.address}:${node.port} did not open SFTP (${cause.message})`,
    'sshd_config on the node must have: Subsystem sftp sftp-server.exe',
    { cause },
  );
}
