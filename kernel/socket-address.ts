// An address and a port as the kernel takes them: struct sockaddr_in, struct sockaddr_in6 (linux/in.h, linux/in6.h).

const AF_INET = 2;
const AF_INET6 = 10;

/** `address`: 4 or 16 bytes. The family is in the machine's order, the port in the network's. */
export function socketAddress(address: Uint8Array, port: number): Buffer {
  const is4 = address.length === 4;
  const out = Buffer.alloc(is4 ? 16 : 28);
  out.writeUInt16LE(is4 ? AF_INET : AF_INET6, 0);
  out.writeUInt16BE(port, 2);
  out.set(address, is4 ? 4 : 8);
  return out;
}
