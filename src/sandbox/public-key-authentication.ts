import { createHash, timingSafeEqual } from 'node:crypto';
import type { AuthContext, Connection, ParsedKey } from 'ssh2';

/** After so many failures a connection is closed, as OpenSSH does by default (MaxAuthTries). */
const mostFailures = 6;

/**
 * Lets `username` in with any of `keys`, by public key alone. A wrong user and a wrong key get the same answer.
 */
export function authenticateByPublicKey(
  connection: Connection,
  username: string,
  keys: readonly ParsedKey[],
): void {
  let failures = 0;
  connection.on('authentication', (context) => {
    if (isAllowed(context, username, keys)) {
      // For a request without a signature this only says that the key would do.
      context.accept();
      return;
    }
    // A client asks for the methods by trying "none": that is no failed attempt.
    if (context.method !== 'none') failures += 1;
    if (failures >= mostFailures) connection.end();
    else context.reject(['publickey']);
  });
}

function isAllowed(context: AuthContext, username: string, keys: readonly ParsedKey[]): boolean {
  if (context.method !== 'publickey') return false;
  const { key: offered, blob, signature, hashAlgo } = context;
  const rightUser = sameBytes(Buffer.from(context.username), Buffer.from(username));
  const key = keys.find(
    (candidate) => candidate.type === offered.algo && sameBytes(candidate.getPublicSSH(), offered.data),
  );
  if (key === undefined) return false;
  const signed =
    signature === undefined || (blob !== undefined && isTrue(key.verify(blob, signature, hashAlgo)));
  return signed && rightUser;
}

/** The library answers a signature that it cannot read with an Error, which its types do not tell. */
function isTrue(answer: unknown): boolean {
  return answer === true;
}

function sameBytes(left: Buffer, right: Buffer): boolean {
  return timingSafeEqual(digest(left), digest(right));
}

function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
