import { parse } from 'yaml';
import { z } from 'zod';
import type { ParsedFile } from './watched-file.js';

const secretSchema = z.object({
  kind: z.literal('Secret'),
  data: z.object({ '.dockerconfigjson': z.string() }).optional(),
  stringData: z.object({ '.dockerconfigjson': z.string() }).optional(),
});

/**
 * Reads a pull secret file: a `.dockerconfigjson` itself, or a Secret manifest that holds one. Faults never quote what
 * was read, since that may be a credential.
 */
export function parsePullSecretFile(text: string): ParsedFile<string> {
  let document: unknown;
  try {
    // Warnings would be printed, with the line they are about.
    document = parse(text, { logLevel: 'error' });
    if (typeof document === 'object' && document !== null && 'auths' in document) {
      return { ok: true, value: JSON.stringify(document) };
    }
  } catch {
    return {
      ok: false,
      faults: ['is neither JSON nor YAML; expected a .dockerconfigjson or a Secret manifest'],
    };
  }
  const secret = secretSchema.safeParse(document);
  const plain = secret.data?.stringData?.['.dockerconfigjson'];
  const encoded = secret.data?.data?.['.dockerconfigjson'];
  if (plain !== undefined) return { ok: true, value: plain };
  if (encoded !== undefined) return { ok: true, value: Buffer.from(encoded, 'base64').toString('utf8') };
  return {
    ok: false,
    faults: [
      'has neither "auths" nor data[".dockerconfigjson"]; expected a .dockerconfigjson or a Secret manifest',
    ],
  };
}
