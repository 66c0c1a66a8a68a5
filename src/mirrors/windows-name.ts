/**
 * What Win32 accepts as one component of a path, on the Windows Server releases that run containers (2019, 2022).
 * Source: Microsoft's "Naming Files, Paths, and Namespaces".
 */

/** Characters that no Win32 file name may hold; `/` and `\` divide components, `:` names a stream. */
const forbiddenCharacters = '<>:"/\\|?*';

/** Code points below this are control characters, which no Win32 file name may hold. */
const firstPrintable = 0x20;

/** NTFS counts a name in UTF-16 code units, as a JavaScript string does. */
const longestName = 255;

const longestShown = 80;

/** COM¹, COM² and COM³ are devices too: Windows reads the superscripts of ISO 8859-1 as digits. */
const deviceName = /^(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])$/i;

/**
 * Why a single path component cannot be the name of a file or directory on Windows, as a sentence without its full
 * stop; `undefined` when it can. Never throws; takes time linear in the length of `name`.
 *
 * @example windowsNameFault('nul.example.com') // '"nul.example.com" means the device NUL on Windows, …'
 */
export function windowsNameFault(name: string): string | undefined {
  if (name === '') return 'an empty name cannot be a Windows file name';

  const shown = show(name);
  if (name === '.' || name === '..') return `${shown} means a directory itself and cannot name a new one`;
  if (name.length > longestName) {
    return `${shown} has ${name.length} characters; a Windows file name has at most ${longestName}`;
  }
  for (const character of name) {
    if (forbiddenCharacters.includes(character)) {
      return `${shown} holds ${JSON.stringify(character)}, which a Windows file name cannot`;
    }
    if (character.charCodeAt(0) < firstPrintable) {
      return `${shown} holds a control character, which a Windows file name cannot`;
    }
  }
  if (name.endsWith('.') || name.endsWith(' ')) {
    return `${shown} ends with a ${name.endsWith('.') ? 'dot' : 'space'}, which Windows drops from a file name`;
  }
  const device = deviceOf(name);
  if (device === undefined) return undefined;
  return `${shown} means the device ${device} on Windows, with or without an extension`;
}

/** The device that Windows opens instead of a file of this name: the part before the first dot decides. */
function deviceOf(name: string): string | undefined {
  const dot = name.indexOf('.');
  const base = dot === -1 ? name : name.slice(0, dot);
  const device = base.replace(/ +$/, '');
  return deviceName.test(device) ? device.toUpperCase() : undefined;
}

function show(name: string): string {
  return JSON.stringify(name.length <= longestShown ? name : `${name.slice(0, longestShown)}…`);
}
