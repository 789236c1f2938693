// The WireGuard devices of one namespace over generic netlink: reads them, executes plans. What to execute is decided in plan.ts; how
// devices look on the wire, in wire.ts.
import { constants } from 'node:os';
import { KernelError } from '../kernel-error.ts';
import { findGenericFamily, NETLINK_GENERIC } from '../netlink/generic-family.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import { NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import { joinParts } from './join-parts.ts';
import type { WireguardAccess, WireguardDeviceState, WireguardStep, WireguardStepResult } from './objects.ts';
import { wireguardOperations, wireguardStepObject } from './text.ts';
import { readPart, wireguardFamilyName, writeRead, writeStep } from './wire.ts';

/**
 * Opens the WireGuard of `netns`, or of the process's own namespace. Throws KernelError: isNotSupported when the kernel has none and cannot
 * load it.
 */
export function openWireguard(options: { readonly netns?: Netns | undefined } = {}): WireguardAccess {
  const socket = new NetlinkSocket({ protocol: NETLINK_GENERIC, netns: options.netns });
  try {
    const family = findGenericFamily(socket, wireguardFamilyName);
    if (family !== undefined) return new KernelWireguard(socket, family.id);
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.close();
  throw new KernelError({
    operation: 'open WireGuard',
    object: '',
    errno: constants.errno.EOPNOTSUPP,
    kernelMessage: 'this kernel has no WireGuard, or its module is not loaded: try "modprobe wireguard"',
  });
}

class KernelWireguard implements WireguardAccess {
  readonly #socket: NetlinkSocket;
  /** Of the family's messages. */
  readonly #type: number;

  constructor(socket: NetlinkSocket, type: number) {
    this.#socket = socket;
    this.#type = type;
  }

  read(link: string): WireguardDeviceState | undefined {
    const request: NetlinkRequest = {
      type: this.#type,
      flags: 0,
      operation: 'read WireGuard device',
      object: link,
      body: (out) => writeRead(out, link),
    };
    try {
      return joinParts(this.#socket.dump(request, ({ body }) => readPart(body)));
    } catch (error) {
      // There is no such link, or it is of another kind.
      if (error instanceof KernelError && (error.code === 'ENODEV' || error.code === 'EOPNOTSUPP'))
        return undefined;
      throw error;
    }
  }

  apply(steps: readonly WireguardStep[]): readonly WireguardStepResult[] {
    const errors = this.#socket.execute(steps.map((step) => this.#request(step)));
    return steps.map((step, i) => ({ step, error: errors[i] }));
  }

  #request(step: WireguardStep): NetlinkRequest {
    return {
      type: this.#type,
      flags: 0,
      operation: wireguardOperations[step.kind],
      get object() {
        return wireguardStepObject(step);
      },
      body: (out) => writeStep(out, step),
    };
  }

  close(): void {
    this.#socket.close();
  }
}
