// The base chains of all tables of a namespace, whosever they are: what a packet meets beside our own. Not the rules in them.
import { isNotSupported, KernelError } from '../kernel-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import { messageType, NFT_MSG } from './attributes.ts';
import { readChain, writeHeader } from './object-wire.ts';
import type { Chain, ChainBase, TableId } from './objects.ts';

export interface BaseChain {
  readonly table: TableId;
  readonly chain: Chain & { readonly base: ChainBase };
}

/** None where the kernel has no nf_tables. Throws KernelError: EPERM. */
export function baseChains(options: { readonly netns?: Netns | undefined } = {}): readonly BaseChain[] {
  const socket = new NetlinkSocket({ protocol: NETLINK_NETFILTER, netns: options.netns });
  try {
    return socket.dump(
      {
        type: messageType(NFT_MSG.GETCHAIN),
        flags: 0,
        operation: 'list nf_tables',
        object: 'chains',
        // NFPROTO_UNSPEC: of all families.
        body: (out) => writeHeader(out, 0),
      },
      ({ body }) => {
        const found = readChain(body);
        const base = found?.value.base;
        return found === undefined || base === undefined
          ? undefined
          : { table: found.table, chain: { ...found.value, base } };
      },
    );
  } catch (error) {
    // A kernel without nf_tables: nfnetlink calls the question invalid.
    if (isNotSupported(error) || (error instanceof KernelError && error.code === 'EINVAL')) return [];
    throw error;
  } finally {
    socket.close();
  }
}
