// How struct mmsghdr, struct sockaddr_in and control messages lie in memory on 64-bit machines (linux/socket.h, linux/udp.h).

/** struct msghdr (56 bytes), the length, padding. */
export const messageSize = 64;
export const messageWords = messageSize / 4;
/** Places of a message's fields, in words. */
export const messageField = {
  name: 0,
  nameLength: 2,
  vectors: 4,
  vectorCount: 6,
  control: 8,
  controlLength: 10,
  flags: 12,
  length: 14,
} as const;

/** struct sockaddr_in. */
export const nameSize = 16;
export const nameWords = nameSize / 4;
export const AF_INET = 2;

/** Room for one control message with a small number. */
export const controlSize = 24;
/** Places of its fields, in words. */
export const controlField = { length: 0, level: 2, type: 3, value: 4 } as const;
const controlHeader = 16;
/** With a uint16_t in it, and with an int. */
export const shortControl = controlHeader + 2;
export const intControl = controlHeader + 4;
export const IPPROTO_UDP = 17;
/** How a datagram is to be split (Linux 4.18), and whether and how those that came were joined (5.0). */
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

const word = 2 ** 32;

export function putAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address;
  words[at + 1] = address / word;
}

export function addressAt(words: Uint32Array, at: number): number {
  return (words[at] ?? 0) + (words[at + 1] ?? 0) * word;
}

/** The first word of a struct sockaddr_in: the family in the machine's order, the port in the network's. */
export function nameWord(port: number): number {
  return AF_INET | ((((port & 0xff) << 8) | (port >>> 8)) << 16);
}
