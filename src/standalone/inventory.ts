/** The inventory: YAML that lists the nodes, with defaults for what they share. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { utils } from 'ssh2';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { defaultRoot, defaultSshPort, type TargetNode } from '../distribution/target-node.js';
import { toFault } from '../mirrors/mirror-set-schema.js';
import type { ParsedFile } from './watched-file.js';

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
 * @returns the nodes, or one line for each fault that names its field
 */
export async function parseInventory(text: string, file: string): Promise<ParsedFile<readonly TargetNode[]>> {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    return { ok: false, faults: [`line ${line}, column ${col}: ${error.message}`] };
  }
  const parsed = inventorySchema.safeParse(document.toJS());
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

    const field = item.privateKeyFile === undefined ? 'defaults' : at;
    const key = await readKey(settings.privateKeyFile, settings.passphraseFile, file);
    if ('fault' in key) {
      const fault = `${field}.${key.fault}`;
      if (!faults.includes(fault)) faults.push(fault);
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

async function readKey(
  keyFile: string,
  passphraseFile: string | undefined,
  inventoryFile: string,
): Promise<{ privateKey: string; passphrase?: string } | { fault: string }> {
  const folder = dirname(resolve(inventoryFile));
  let privateKey: string;
  let passphrase: string | undefined;
  try {
    privateKey = await readFile(resolve(folder, keyFile), 'utf8');
  } catch (error) {
    return { fault: `privateKeyFile: ${reasonOf(error)}` };
  }
  try {
    // Editors end a file with a line break that is no part of the passphrase.
    if (passphraseFile !== undefined) {
      passphrase = (await readFile(resolve(folder, passphraseFile), 'utf8')).replace(/\r?\n$/, '');
    }
  } catch (error) {
    return { fault: `passphraseFile: ${reasonOf(error)}` };
  }
  const key = utils.parseKey(privateKey, passphrase);
  if (key instanceof Error) {
    return { fault: `privateKeyFile: ${keyFile} is no private key that can be used: ${key.message}` };
  }
  return { privateKey, ...(passphrase !== undefined && { passphrase }) };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
