/** What an administrator sets on a Node for mirrorgate, in annotations. */
import { parseRemoteRoot } from '../distribution/remote-path.js';
import type { KubeObject } from './kube-object.js';

export const annotations = {
  username: 'mirrorgate.dev/ssh-username',
  port: 'mirrorgate.dev/ssh-port',
  root: 'mirrorgate.dev/registries-directory',
  paused: 'mirrorgate.dev/paused',
} as const;

export interface NodeSettings {
  readonly username: string | undefined;
  readonly port: number | undefined;
  /** As written: a Windows path or an absolute POSIX path. */
  readonly root: string | undefined;
  readonly paused: boolean;
}

export interface ReadNodeSettings {
  readonly settings: NodeSettings;
  /** One for each annotation that cannot be taken: its name, what was found and what was expected. */
  readonly faults: readonly string[];
}

/** Reads a Node's own annotations; one that is absent is `undefined`, or false. */
export function readNodeSettings(node: KubeObject): ReadNodeSettings {
  const faults: string[] = [];
  const read = <T>(name: string, parse: (text: string) => T | Expected): T | undefined => {
    const text = node.metadata.annotations?.[name];
    if (text === undefined) return undefined;
    const value = parse(text);
    if (!(value instanceof Expected)) return value;
    faults.push(`annotation ${name} is ${JSON.stringify(text)}: expected ${value.what}`);
    return undefined;
  };
  return {
    settings: {
      username: read(annotations.username, (text) =>
        // Accounts of a domain are written DOMAIN\name or name@domain.
        /^[^\s\p{C}](?:[^\p{C}]*[^\s\p{C}])?$/u.test(text) ? text : new Expected('the name of an account'),
      ),
      port: read(annotations.port, (text) => {
        const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
        return port >= 1 && port <= 65_535 ? port : new Expected('a port from 1 to 65535');
      }),
      root: read(annotations.root, (text) =>
        parseRemoteRoot(text).ok
          ? text
          : new Expected('an absolute path of a directory, like C:\\k\\containerd\\registries'),
      ),
      paused:
        read(annotations.paused, (text) =>
          text === 'true' || text === 'false' ? text === 'true' : new Expected('"true" or "false"'),
        ) ?? false,
    },
    faults,
  };
}

class Expected {
  readonly what: string;

  constructor(what: string) {
    this.what = what;
  }
}
