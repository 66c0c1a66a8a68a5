/** The inventory: YAML that lists the nodes, with defaults for what they share. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { rememberingKeyReader } from '../distribution/private-key.js';
import { defaultRoot, defaultSshPort, type TargetNode } from '../distribution/target-node.js';
import { toFault } from '../mirrors/mirror-set-schema.js';
import { messageOf } from './message-of.js';
import type { ParsedFile } from './watched-file.js';

type PrivateKeyReader = ReturnType<typeof rememberingKeyReader>;

const connectionFields = {
  port: z.int().min(1).max(65_535).optional(),
  username: z.string().min(1).optional(),
  /** Relative paths start at the inventory's folder. */
  privateKeyFile: z.string().min(1).optional(),
  passphraseFile: z.string().min(1).optional(),
  root: z.string().min(1).optional(),
};

const inventorySchema = z.strictObject({
  defaults: z.strictObject(connectionFields).nullish(),
  nodes: z.array(
    z.strictObject({
      name: z.string().min(1),
      address: z.string().min(1).optional(),
      ...connectionFields,
    }),
  ),
});

/**
 * Reads an inventory and the key files that it names.
 *
 * @param file path of the inventory, from which relative paths in it start
 * @param readPrivateKey the same one at each reading saves decrypting the keys anew
 * @returns the nodes, or one line for each fault that names its field
 */
export async function parseInventory(
  text: string,
  file: string,
  readPrivateKey: PrivateKeyReader = rememberingKeyReader(),
): Promise<ParsedFile<readonly TargetNode[]>> {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    return { ok: false, faults: [`line ${line}, column ${col}: ${error.message}`] };
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    // Aliases that expand without end.
    return { ok: false, faults: [messageOf(cause)] };
  }
  const parsed = inventorySchema.safeParse(value);
  if (!parsed.success) {
    return {
      ok: false,
      faults: parsed.error.issues
        .map(toFault)
        .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)),
    };
  }

  const faults: string[] = [];
  const names = new Set<string>();
  const nodes: TargetNode[] = [];
  for (const [index, item] of parsed.data.nodes.entries()) {
    const at = `nodes[${index}]`;
    if (names.has(item.name))
      faults.push(`${at}.name: ${item.name} is listed twice; expected one entry per node`);
    names.add(item.name);

    const settings = { ...parsed.data.defaults, ...item };
    if (settings.username === undefined) {
      faults.push(`${at}.username: expected the SSH user here or in defaults.username, found none`);
    }
    if (settings.privateKeyFile === undefined) {
      faults.push(
        `${at}.privateKeyFile: expected the path of a private key here or in defaults.privateKeyFile, found none`,
      );
    }
    if (settings.username === undefined || settings.privateKeyFile === undefined) continue;

    const placeOf = (field: 'privateKeyFile' | 'passphraseFile') =>
      item[field] === undefined ? 'defaults' : at;
    const { privateKeyFile, passphraseFile } = settings;
    const key = await readKey(
      {
        privateKeyFile: [privateKeyFile, placeOf('privateKeyFile')],
        ...(passphraseFile !== undefined && { passphraseFile: [passphraseFile, placeOf('passphraseFile')] }),
      },
      dirname(resolve(file)),
      readPrivateKey,
    );
    if ('fault' in key) {
      // One for all nodes that share the key.
      if (!faults.includes(key.fault)) faults.push(key.fault);
      continue;
    }
    nodes.push({
      name: item.name,
      address: settings.address ?? item.name,
      port: settings.port ?? defaultSshPort,
      username: settings.username,
      privateKey: key.privateKey,
      ...(key.passphrase !== undefined && { passphrase: key.passphrase }),
      root: settings.root ?? defaultRoot,
    });
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: nodes };
}

/** A private key, or one line for what is wrong with it, beginning with the field that it is about. */
async function readKey(
  settings: ConnectionSettings,
  folder: string,
  readPrivateKey: PrivateKeyReader,
): Promise<{ privateKey: string; passphrase?: string } | { fault: string }> {
  const [keyFile, keyField] = settings.privateKeyFile;
  let privateKey: string;
  try {
    privateKey = await readFile(resolve(folder, keyFile), 'utf8');
  } catch (error) {
    return { fault: `${keyField}.privateKeyFile: ${messageOf(error)}` };
  }
  let passphrase: string | undefined;
  if (settings.passphraseFile !== undefined) {
    const [passphraseFile, passphraseField] = settings.passphraseFile;
    try {
      // Editors end a file with a line break that is no part of the passphrase.
      passphrase = (await readFile(resolve(folder, passphraseFile), 'utf8')).replace(/\r?\n$/, '');
    } catch (error) {
      return { fault: `${passphraseField}.passphraseFile: ${messageOf(error)}` };
    }
  }
  const read = readPrivateKey(privateKey, passphrase);
  if (!read.ok) return { fault: `${keyField}.privateKeyFile: ${keyFile}: ${read.fault}; ${read.hint}` };
  return { privateKey, ...(passphrase !== undefined && { passphrase }) };
}

interface ConnectionSettings {
  /** Each with the place that it was written in. */
  readonly privateKeyFile: readonly [path: string, field: string];
  readonly passphraseFile?: readonly [path: string, field: string];
}
