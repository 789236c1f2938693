// What a chain of iptables may be called. Not which names are taken, or whose they are.

const safeName = /^[A-Za-z0-9_-]{1,28}$/;

/** Returns the name, or throws SyntaxError: a chain's name has at most 28 characters (XT_EXTENSION_MAXNAMELEN - 1). */
export function chainName(name: string): string {
  if (!safeName.test(name)) throw new SyntaxError(`Cannot use ${JSON.stringify(name)} as an iptables chain`);
  return name;
}
