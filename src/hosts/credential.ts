import { z } from 'zod';

/** What an entry of `auths` comes to: a header value, or why there is none, as the end of a sentence without the value. */
export type ParsedCredential =
  { readonly ok: true; readonly authorization: string } | { readonly ok: false; readonly fault: string };

const entrySchema = z.object({
  auth: z.string().nullish(),
  username: z.string().nullish(),
  password: z.string().nullish(),
  identitytoken: z.string().nullish(),
});

/**
 * Turns one entry of `auths` into the value of an `Authorization` header (`Basic …`). A filled `auth` goes before
 * `username` and `password`, as in the clients that write these files.
 */
export function parseCredential(value: unknown): ParsedCredential {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) return fault('is not an object of text fields');
  const { auth, username, password, identitytoken } = parsed.data;

  if (filled(auth)) return fromAuth(auth, filled(identitytoken));
  if (filled(username) && filled(password)) return fromUser(username, password);
  if (filled(identitytoken)) return fault(onlyIdentityToken);
  if (filled(username)) return fault('has a username but no password');
  return fault('has neither auth nor username and password');
}

const onlyIdentityToken =
  'has only an identity token, which a hosts.toml cannot express; use a user (or robot account) and password';

function fromAuth(auth: string, hasIdentityToken: boolean): ParsedCredential {
  const bytes = decodeBase64(auth);
  if (bytes === undefined) return fault('has an auth that is not base64');
  const colon = bytes.indexOf(':');
  if (colon === -1) return fault('has an auth that is not the base64 of user:password');
  if (colon === 0) return fault('has an auth without a user');
  // Clients that log in by identity token write `<placeholder>:` here.
  if (colon === bytes.length - 1) {
    return fault(hasIdentityToken ? onlyIdentityToken : 'has an auth without a password');
  }
  return basic(bytes);
}

function fromUser(username: string, password: string): ParsedCredential {
  // Basic authentication ends the user at the first colon (RFC 7617).
  if (username.includes(':'))
    return fault('has a username with ":", which basic authentication cannot express');
  return basic(Buffer.from(`${username}:${password}`, 'utf8'));
}

/** Decodes what `Buffer` would decode, but only if it is base64 from end to end; line breaks and missing padding are fine. */
function decodeBase64(text: string): Buffer | undefined {
  const compact = text.replace(/[\r\n]/g, '');
  const bytes = Buffer.from(compact, 'base64');
  return unpadded(bytes.toString('base64')) === unpadded(compact) ? bytes : undefined;
}

function unpadded(text: string): string {
  return text.endsWith('==') ? text.slice(0, -2) : text.endsWith('=') ? text.slice(0, -1) : text;
}

function basic(bytes: Buffer): ParsedCredential {
  return { ok: true, authorization: `Basic ${bytes.toString('base64')}` };
}

function filled(text: string | null | undefined): text is string {
  return text != null && text !== '';
}

function fault(text: string): ParsedCredential {
  return { ok: false, fault: text };
}
