// Whether a chain is there, in anybody's table: one question of a single object, however much the table holds.
import { isNotFound, isNotSupported, KernelError } from '../kernel-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import { messageType, NFT_MSG } from './attributes.ts';
import { readChain, writeChainName } from './object-wire.ts';
import { type TableId, tableKey } from './objects.ts';

/** False where the kernel has no nf_tables. Throws KernelError: EPERM. */
export function hasChain(
  table: TableId,
  chain: string,
  { netns }: { readonly netns?: Netns | undefined } = {},
): boolean {
  const socket = new NetlinkSocket({ protocol: NETLINK_NETFILTER, netns });
  try {
    const found = socket.query(
      {
        type: messageType(NFT_MSG.GETCHAIN),
        flags: 0,
        operation: 'read chain',
        object: `${tableKey(table)} ${chain}`,
        body: (out) => writeChainName(out, table, chain),
      },
      ({ body }) => readChain(body),
    );
    return found.length > 0;
  } catch (error) {
    if (isNotFound(error)) return false;
    // A kernel without nf_tables: nfnetlink calls the question invalid.
    if (isNotSupported(error) || (error instanceof KernelError && error.code === 'EINVAL')) return false;
    throw error;
  } finally {
    socket.close();
  }
}
