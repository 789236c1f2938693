// Names that are safe to give to the kernel or to use in a path. Limits: IFNAMSIZ in linux/if.h, CNI specification section 2.

/** Longest interface name in bytes (IFNAMSIZ - 1). */
export const longestInterfaceName = 15;

/**
 * True for a name the kernel takes for a link as it is: 1 to 15 bytes, not "." or "..", no "/", ":" or white space
 * (dev_valid_name, whose isspace takes the byte 0xa0 for a space: "à" is refused), and no "%" (it would number the link).
 */
export function isInterfaceName(name: string): boolean {
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > longestInterfaceName || name === '.' || name === '..') return false;
  if (!name.isWellFormed() || Buffer.from(name).includes(0xa0)) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the kernel allows them, we do not
  return !/[/:%\s\u0000-\u001f\u007f]/u.test(name);
}

/** Returns the name, or throws SyntaxError that quotes it. */
export function interfaceName(name: string): string {
  if (!isInterfaceName(name)) {
    throw new SyntaxError(
      `Cannot use ${JSON.stringify(name)} as an interface name: want 1 to 15 bytes without "/", ":", "%" or space`,
    );
  }
  return name;
}

/** True for what CNI allows as a container ID or network name: it is also safe as one component of a path. */
export function isIdentifier(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name) && name.length <= 255;
}
