import { Buffer } from 'node:buffer';

const ellipsis = '…';

/** The text in at most `limit` bytes of UTF-8: cut between two characters, and then with an ellipsis at its end. */
export function cutToBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= limit) return text;
  let end = Math.max(0, limit - Buffer.byteLength(ellipsis));
  // The bytes within a character all begin with the bits 10.
  while (end > 0 && ((bytes[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end -= 1;
  return bytes.toString('utf8', 0, end) + ellipsis;
}
