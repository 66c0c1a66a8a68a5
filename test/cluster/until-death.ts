/** A command that the kernel ends when this process dies, however that happens. Its process id stays the program's. */
export function untilDeath(
  program: string,
  args: readonly string[],
): { readonly program: string; readonly args: readonly string[] } {
  // setpriv is of the Debian package util-linux, which is essential.
  return { program: 'setpriv', args: ['--pdeathsig', 'KILL', '--', program, ...args] };
}
