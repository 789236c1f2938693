// Opens what a running agent needs of the kernel, in the process's namespace or another. What is done with it is agent.ts's.
import type { Netns } from '../kernel/netns.ts';
import type { SeenGeneration } from '../kernel/nft/seen-generation.ts';
import { Poller } from '../kernel/poller.ts';
import { openRouteDriver } from '../kernel/route/driver.ts';
import { RouteMirror } from '../kernel/route/mirror.ts';
import { openTunnelKernel, type TunnelKernel } from '../kernel/tun/tunnel-kernel.ts';
import { openWireguard } from '../kernel/wireguard/driver.ts';
import type { WireguardAccess } from '../kernel/wireguard/objects.ts';
import type { KernelChange } from './agent.ts';
import type { NodeRoutes } from './apply-routes.ts';
import type { Firewall } from './firewall.ts';
import { isWorthAPass } from './kernel-changes.ts';
import type { MadeRecord } from './made-record.ts';
import { openSysctls, type Sysctls } from './node-sysctls.ts';
import { openFirewall } from './open-firewall.ts';

export interface NodeKernel {
  readonly route: NodeRoutes;
  readonly sysctls: Sysctls;
  readonly firewall: Firewall;
  readonly tunnel: TunnelKernel;
  /** Throws KernelError: isNotSupported when the kernel has none. To be closed by who asked. */
  openWireguard(): WireguardAccess;
  /** Reports changes from now on. Returns how to stop. */
  watch(onChange: (change: KernelChange) => void): () => void;
  close(): Promise<void>;
}

export interface OpenNodeOptions {
  readonly netns?: Netns | undefined;
  readonly masquerade: 'nftables' | 'iptables' | 'none';
  readonly made: MadeRecord;
  /** Of somebody else in this process who changes the ruleset. */
  readonly beside?: SeenGeneration | undefined;
}

/** Throws KernelError when the kernel refuses: EPERM without CAP_NET_ADMIN. */
export function openNode({ netns, masquerade, made, beside }: OpenNodeOptions): NodeKernel {
  const poller = new Poller();
  let listener: (change: KernelChange) => void = () => {};
  const driver = openRouteDriver({ netns });
  const mirror = new RouteMirror({
    netns,
    poller,
    onChange: (change) => {
      if (isWorthAPass(change)) listener('kernel');
    },
  });
  const firewall = openFirewall({ netns, masquerade, made, beside });
  return {
    route: {
      read: (thorough) => (thorough ? driver.read() : mirror.state()),
      apply: (steps) => driver.apply(steps),
    },
    sysctls: openSysctls(netns),
    firewall,
    tunnel: openTunnelKernel(netns),
    openWireguard: () => openWireguard({ netns }),
    watch(onChange) {
      listener = onChange;
      return () => {
        listener = () => {};
      };
    },
    async close() {
      mirror.close();
      driver.close();
      firewall.close();
      await poller.close();
    },
  };
}
