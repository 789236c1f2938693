// Attaches pods to the node's bridge and takes them off it: lock, address and links of one attachment, in an order that leaves
// nothing behind when a step fails. It speaks no CNI; cni/ turns requests into these calls and their values into results.
import { join } from 'node:path';
import { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { IpAddress } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { rangeOf } from '../ipam/address-range.ts';
import { AddressStore } from '../ipam/address-store.ts';
import type { AddressOwner } from '../ipam/reservation.ts';
import type { Attachment } from './attachment.ts';
import { withAttachmentLock } from './attachment-lock.ts';
import { CniError, cniCodes } from './cni-error.ts';
import type { NodeNetwork } from './node-network.ts';
import { checkPod, type ExpectedPod } from './pod-check.ts';
import { attachPod, detachForeign, detachPod, type Host, requireBridge } from './pod-links.ts';
import { findPodNetns, openPodNetns } from './pod-netns.ts';
import { type PodAddress, planPod } from './pod-plan.ts';

export interface WiringOptions {
  /** The node's namespace; the process's own if absent. */
  readonly netns?: Netns | undefined;
}

/** Where an attachment's state is: the agent and a plugin that works without it must agree on both. */
export interface AttachmentPlace {
  readonly attachment: Attachment;
  /** host-local's dataDir: "/var/lib/cni/networks". */
  readonly ipamDirectory: string;
  /** "/run/netloom": holds the locks. */
  readonly runDirectory: string;
}

export interface AddRequest extends AttachmentPlace {
  /** Path of the pod's namespace. */
  readonly netns: string;
  readonly node: NodeNetwork;
  /** The node's if absent. */
  readonly mtu?: number | undefined;
  readonly hairpin: boolean;
  /** At most one a family; the others are chosen. */
  readonly requested?: readonly IpAddress[];
}

export interface DelRequest extends AttachmentPlace {
  /** May be empty, gone, or no namespace. */
  readonly netns: string;
}

export interface CheckRequest extends AttachmentPlace {
  readonly netns: string;
  readonly bridge: string;
  readonly expected: ExpectedPod;
}

export interface CollectRequest extends Omit<AttachmentPlace, 'attachment'> {
  readonly network: string;
  readonly valid: readonly AddressOwner[];
}

export interface WiredPod {
  readonly bridge: { readonly name: string; readonly mac: Mac | undefined };
  readonly host: { readonly name: string; readonly mac: Mac };
  readonly pod: { readonly name: string; readonly mac: Mac; readonly mtu: number };
  readonly addresses: readonly PodAddress[];
}

/** All reject with CniError for what a runtime may cause, with KernelError for what the kernel refuses. */
export interface Wiring {
  /** An attachment that is there already is refused, and stays as it is. */
  add(request: AddRequest): Promise<WiredPod>;
  /** What is missing is success. */
  del(request: DelRequest): Promise<void>;
  check(request: CheckRequest): Promise<void>;
  /** Removes all attachments of one network that are not in the list. Goes on when one fails; rejects with all that did. */
  collect(request: CollectRequest): Promise<void>;
  close(): void;
}

/** Milliseconds that DEL and CHECK wait for an operation on the same attachment: one that was given up by the runtime. */
const longestWait = 5000;

export function createWiring(options: WiringOptions = {}): Wiring {
  return new KernelWiring(options.netns);
}

class KernelWiring implements Wiring {
  readonly #host: Host;
  readonly #ownsNetns: boolean;
  readonly #stores = new Map<string, AddressStore>();

  constructor(netns: Netns | undefined) {
    this.#ownsNetns = netns === undefined;
    this.#host = { netns: netns ?? Netns.current(), route: openRouteDriver({ netns }) };
  }

  add(request: AddRequest): Promise<WiredPod> {
    return this.#exclusive(request, { waitMs: 0 }, async () => {
      using pod = openPodNetns(request.netns, this.#host.netns);
      const bridge = requireBridge(request.node.bridge, this.#host);
      const { attachment, node, hairpin } = request;
      const store = this.#store(request);
      const { addresses, reserved } = await store.allocate({
        owner: attachment,
        ranges: node.subnets.map(({ subnet, gateway }) => rangeOf(subnet, gateway)),
        ...(request.requested === undefined ? {} : { requested: request.requested }),
      });
      const plan = planPod(attachment, {
        bridge: bridge.name,
        mtu: request.mtu ?? node.mtu,
        hairpin,
        addresses: withSubnets(addresses, node),
      });
      try {
        attachPod(plan, { host: this.#host, pod });
      } catch (error) {
        await store.release(attachment, reserved);
        throw error;
      }
      return {
        bridge: { name: bridge.name, mac: bridge.mac },
        host: { name: plan.hostLink, mac: plan.hostMac },
        pod: { name: plan.ifname, mac: plan.podMac, mtu: plan.mtu },
        addresses: plan.addresses,
      };
    });
  }

  /** The address goes last: nobody else may have it while the pod's interface is there. */
  del(request: DelRequest): Promise<void> {
    return this.#exclusive(request, { waitMs: longestWait }, async () => {
      const { attachment } = request;
      const store = this.#store(request);
      if (!detachPod(attachment, this.#host))
        await this.#detachForeign(request, await store.find(attachment));
      await store.release(attachment);
    });
  }

  async #detachForeign({ attachment, netns }: DelRequest, reserved: readonly IpAddress[]): Promise<void> {
    if (reserved.length === 0) return;
    using pod = findPodNetns(netns, this.#host.netns);
    if (pod !== undefined) detachForeign(attachment, { pod, reserved });
  }

  check(request: CheckRequest): Promise<void> {
    return this.#exclusive(request, { waitMs: longestWait }, async () => {
      const { attachment, bridge, expected } = request;
      using pod = openPodNetns(request.netns, this.#host.netns);
      const reserved = await this.#store(request).find(attachment);
      const problems = checkPod({ attachment, bridge, reserved, expected }, { host: this.#host, pod });
      if (problems.length === 0) return;
      throw new CniError(
        cniCodes.checkFailed,
        `Container "${attachment.containerId}" is not as it was made: ${problems[0]}`,
        { details: problems.slice(1).join('; ') },
      );
    });
  }

  async collect({ network, valid, ...place }: CollectRequest): Promise<void> {
    const owners = await this.#store({ ...place, attachment: { network } }).owners();
    const errors: Error[] = [];
    for (const owner of owners.filter((candidate) => !isValid(candidate, valid))) {
      const attachment = { network, ...owner };
      await this.del({ ...place, attachment, netns: '' }).catch((error: Error) => errors.push(error));
    }
    if (errors.length === 0) return;
    const left = errors.map(({ message }) => message).join('; ');
    throw new CniError(cniCodes.internal, `Cannot collect ${errors.length} attachments of "${network}"`, {
      details: left,
    });
  }

  close(): void {
    this.#host.route.close();
    if (this.#ownsNetns) this.#host.netns.close();
  }

  #exclusive<T>(
    { attachment, runDirectory }: AttachmentPlace,
    { waitMs }: { readonly waitMs: number },
    action: () => Promise<T>,
  ): Promise<T> {
    return withAttachmentLock(attachment, action, { directory: join(runDirectory, 'locks'), waitMs });
  }

  /** One for a directory, kept: it remembers who has what. */
  #store({ attachment, ipamDirectory }: StorePlace): AddressStore {
    const directory = join(ipamDirectory, attachment.network);
    let store = this.#stores.get(directory);
    if (store === undefined) {
      store = new AddressStore(directory);
      this.#stores.set(directory, store);
    }
    return store;
  }
}

interface StorePlace {
  readonly attachment: Pick<Attachment, 'network'>;
  readonly ipamDirectory: string;
}

/** An owner without an interface (an old host-local's) is valid when its container is. */
function isValid({ containerId, ifname }: AddressOwner, valid: readonly AddressOwner[]): boolean {
  return valid.some(
    (other) => other.containerId === containerId && (ifname === '' || other.ifname === ifname),
  );
}

function withSubnets(addresses: readonly IpAddress[], { subnets }: NodeNetwork): readonly PodAddress[] {
  return addresses.flatMap((address) =>
    subnets
      .filter(({ subnet }) => subnet.contains(address))
      .map(({ subnet, gateway }) => ({ address: new Prefix(address, subnet.length), gateway })),
  );
}
