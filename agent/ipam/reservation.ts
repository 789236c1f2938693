// One reserved address as host-local writes it: a file named by the address that holds its owner. Text only; the files are
// address-store.ts's.

/** Whom an address belongs to. The network is the directory's name. */
export interface AddressOwner {
  readonly containerId: string;
  readonly ifname: string;
}

/** The whole content of the file. No line end at its end. */
export function formatOwner({ containerId, ifname }: AddressOwner): string {
  return `${containerId}\r\n${ifname}`;
}

/** The contents by which an owner's files are known: old versions of host-local wrote no interface. */
export function ownerTexts(owner: AddressOwner): readonly string[] {
  return [formatOwner(owner), owner.containerId];
}

/**
 * What a file says about its owner, to be compared with `ownerTexts`. Empty for a file that a crash left without content: its
 * address is taken, by nobody who could be told.
 */
export function readOwnerText(content: string): string {
  return content.trim();
}

/** The owner of a text. Undefined when it is none (empty, or not ours to understand). */
export function parseOwner(text: string): AddressOwner | undefined {
  const match = /^([^\s]+)(?:\s+([^\s]+))?$/.exec(text);
  return match?.[1] === undefined ? undefined : { containerId: match[1], ifname: match[2] ?? '' };
}
