/** Control characters, line separators, and halves of surrogate pairs: none may stand in a header or on a terminal. */
const unprintable = /[\p{Cc}\u2028\u2029]+/gu;
const loneSurrogate = /\p{Cs}/gu;

/** A text on one line that may go into an HTTP header, a log or a terminal. */
export function printable(text: string): string {
  return text.replace(unprintable, ' ').replace(loneSurrogate, '\ufffd').trim();
}

/** Cuts a text to a length in UTF-16 code units, the ellipsis included, and never within a character. */
export function shorten(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const cut = text.slice(0, longest - 1);
  return `${cut.replace(/[\ud800-\udbff]$/, '')}…`;
}
