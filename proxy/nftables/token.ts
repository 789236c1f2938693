// The number that a packet carries in its priority from rule to rule: a class, or the index of an endpoint, in the upper 12 bits, and
// the id of a service port in the lower 20. nft prints it as a classid: `10:1` is class 1 of port 1.

/** Ids are 1 to this, less one. */
export const idLimit = 1 << 20;
/** Classes, and indices of one port's endpoints, are 1 to this, less one. 0: none yet. */
export const upperLimit = 1 << 12;

export const idMask = 0x000fffff;
export const upperMask = 0xfff00000;

export function token(upper: number, id: number): number {
  return ((upper << 20) | id) >>> 0;
}

export function upperOf(value: number): number {
  return value >>> 20;
}

export function idOf(value: number): number {
  return value & idMask;
}
